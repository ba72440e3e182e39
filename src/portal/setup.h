// SPDX-License-Identifier: GPL-2.0-or-later
// Set-up as a list of small steps, each with its undo; which list depends on the mode: with a TUN device, with
// one that was given, or without. A step that fails leaves nothing of itself behind, and everything
// taken before it is undone in reverse order; so is the whole list at the end.
#ifndef PORTAL_SETUP_H
#define PORTAL_SETUP_H

#include "portal/portal.h"

// Takes every step; false, with all undone, when one fails.
bool setup_take(struct portal *portal, struct fault *fault);
// Undoes everything. Handles of the loop are closing after this: run it once more.
void setup_undo(struct portal *portal);

#endif
