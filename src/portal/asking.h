// SPDX-License-Identifier: GPL-2.0-or-later
// The steps of set-up that are Ask. Without the key they do nothing.
#ifndef PORTAL_ASKING_H
#define PORTAL_ASKING_H

#include "portal/portal.h"
#include "portal/step.h"

extern const struct step ASKING_SOCKETS;
extern const struct step ASKING_ENTRANCE; // after the node

// Opens what `now` listens on and we do not yet; a mistake is reported.
bool asking_prepare(struct portal *portal, const struct portal_conf *now, struct config *config);
// After that, in exchange for what was in force.
void asking_take(struct portal *portal, struct portal_conf *now, FILE *report);

// That it may need, flows included.
unsigned asking_descriptors(const struct portal_conf *conf);

#endif
