// SPDX-License-Identifier: GPL-2.0-or-later
// Where systemd-resolved serves this machine and the gate's own name lies in Domains, it would be asked for through the
// tunnel that leads there. So the portal asks for it itself, of the name servers of the other links, which resolved writes
// down and keeps up to date.
#ifndef PORTAL_LINK_SERVERS_H
#define PORTAL_LINK_SERVERS_H

#include "config/portal_conf.h"

#include <uv.h>

struct link_servers;

// Whether the way to a gate begins with such a name.
bool link_servers_are_needed(const struct portal_conf *conf);

struct link_servers *link_servers_new(uv_loop_t *loop, const struct names_keys *ours, void (*changed)(void *owner),
                                      void *owner);
void link_servers_free(struct link_servers *servers);
// As os/resolver/resolver.h takes them; "": none is known. It changes in place.
const char *link_servers_text(const struct link_servers *servers);

#endif
