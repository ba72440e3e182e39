// SPDX-License-Identifier: GPL-2.0-or-later
// `usher-tun explain` asks what becomes of a flow: "probe tcp HOST PORT" on the control socket opens a session through the
// tunnel as an application would, closes it, and is answered with what the far side said and how long it took.
#ifndef PORTAL_PROBING_H
#define PORTAL_PROBING_H

#include "portal/portal.h"

// `line` is what stands behind "probe ".
void probing_answer(struct portal *portal, const char *line, struct control_request *request);

#endif
