// SPDX-License-Identifier: GPL-2.0-or-later
// What a portal with Route has and others have not: the device, the routes that lead there, their repair, and the capture
// of what comes out of it.
#ifndef PORTAL_CAPTURING_H
#define PORTAL_CAPTURING_H

#include "portal/portal.h"
#include "portal/step.h"

// In this order, and after the runtime directory and netlink; the capture after the node.
extern const struct step CAPTURING_DEVICE;
extern const struct step CAPTURING_ADDRESSES;
extern const struct step CAPTURING_ROUTES;
extern const struct step CAPTURING_REPAIR;
extern const struct step CAPTURING_ENTRANCE;
// In the place of the first three: the device of a run, which has come with its addresses and routes.
extern const struct step CAPTURING_GIVEN;
// For a portal without Route: routes of a dead predecessor that had it go.
extern const struct step CAPTURING_LEFT;

// End of turn of a portal that captures, in place of portal_turned.
void capturing_turned(void *owner, usec_t now);
// Routes what `now` routes, with its maps, in exchange for what was in force; what is open to elsewhere is reset. A portal
// that has no device, or would need none any more, or whose names would need other routes, waits for its next start.
void capturing_take(struct portal *portal, struct portal_conf *now, FILE *report);
// NULL: it does not capture.
const char *capturing_device(const struct portal *portal);

#endif
