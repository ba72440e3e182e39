// SPDX-License-Identifier: GPL-2.0-or-later
// A step of set-up with its undo. One that fails leaves nothing of itself behind.
#ifndef PORTAL_STEP_H
#define PORTAL_STEP_H

#include "base/fault.h"

struct portal;

struct step {
    const char *name;
    bool (*take)(struct portal *portal, struct fault *fault);
    void (*undo)(struct portal *portal); // NULL: the undo of an earlier one takes it along
};

#endif
