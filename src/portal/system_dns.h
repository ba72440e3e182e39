// SPDX-License-Identifier: GPL-2.0-or-later
// This machine's own programs ask the portal for the names behind the tunnel: over systemd-resolved, where that serves
// them, else by a resolv.conf of ours in the place of theirs. What cannot be done is said once and is no reason to fail.
#ifndef PORTAL_SYSTEM_DNS_H
#define PORTAL_SYSTEM_DNS_H

#include "portal/portal.h"
#include "portal/step.h"

// With its rights, and once the device is up: resolved asks nobody over a link that is not.
extern const struct step SYSTEM_DNS;
// The device was made again: what was told of a link goes with it.
void system_dns_device_back(struct portal *portal);

// "systemd-resolved", "resolv.conf" or "none"; NULL: there are no names.
const char *system_dns_way(const struct portal *portal);
// Who is asked for the gate's name, which is never asked for through the tunnel, as os/resolver/resolver.h takes it: whom resolv.conf
// named before it was taken over. NULL or "": whom it names. The text changes with the host's network, and lives as long as
// the step is taken.
const char *system_dns_servers(const struct portal *portal);

#endif
