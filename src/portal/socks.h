// SPDX-License-Identifier: GPL-2.0-or-later
// The steps of set-up that are SOCKS. Without the key Socks they do nothing.
#ifndef PORTAL_SOCKS_H
#define PORTAL_SOCKS_H

#include "portal/portal.h"
#include "portal/step.h"

// While there is a privilege, for ports below 1024.
extern const struct step SOCKS_SOCKETS;
// Once there is a node.
extern const struct step SOCKS_ENTRANCE;

// Opens what `now` listens on and we do not yet; a mistake is reported.
bool socks_prepare(struct portal *portal, const struct portal_conf *now, struct config *config);
// After that. Where it listens and who may use it as `now` has it, in exchange for what was in force.
void socks_take(struct portal *portal, struct portal_conf *now, FILE *report);

// That it may need, flows included.
unsigned socks_descriptors(const struct portal_conf *conf);

#endif
