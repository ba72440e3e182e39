// SPDX-License-Identifier: GPL-2.0-or-later
// Log lines about those who are not let in. Anybody can cause them, so their number is bounded.
#ifndef GATE_SUPERVISOR_REFUSALS_H
#define GATE_SUPERVISOR_REFUSALS_H

#include "base/address.h"
#include "base/bucket.h"

struct refusals {
    struct bucket lines;
    uint64_t untold;
};

void refusals_init(struct refusals *refusals);
void refusals_tell(struct refusals *refusals, const struct endpoint *peer, const char *why);

#endif
