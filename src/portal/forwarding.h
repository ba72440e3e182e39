// SPDX-License-Identifier: GPL-2.0-or-later
// Forward: its sockets, made before privileges go, and the entrance that serves them.
#ifndef PORTAL_FORWARDING_H
#define PORTAL_FORWARDING_H

#include "portal/portal.h"
#include "portal/step.h"

extern const struct step FORWARDING_SOCKETS;
extern const struct step FORWARDING_ENTRANCE; // after the node

// Opens what `now` listens on and we do not yet; a mistake is reported.
bool forwarding_prepare(struct portal *portal, const struct portal_conf *now, struct config *config);
// Of what has been prepared and was not taken.
void forwarding_forget(struct portal *portal);
// After that, in exchange for what was in force: what is open through a port that is gone, or leads elsewhere, is reset.
void forwarding_take(struct portal *portal, struct portal_conf *now, FILE *report);

#endif
