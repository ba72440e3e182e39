// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef PORTAL_RUN_H
#define PORTAL_RUN_H

#include "portal/portal.h"

// Sets up, turns until the portal is told to end or fails, and undoes everything. Returns the exit code; portal->failure
// says why it is not 0.
int portal_run(struct portal *portal);

#endif
