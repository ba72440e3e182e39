// SPDX-License-Identifier: GPL-2.0-or-later
// Opening for programs that ask on the control socket, and so are root's or the starter's: "open tcp HOST PORT" is answered
// with a descriptor, or with errno and why.
#ifndef PORTAL_HANDING_H
#define PORTAL_HANDING_H

#include "portal/portal.h"
#include "portal/step.h"

extern const struct step HANDING_ENTRANCE; // after the node

// `line` is what stands behind "open ".
void handing_answer(struct portal *portal, const char *line, struct control_request *request);

#endif
