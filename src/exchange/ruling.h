// SPDX-License-Identifier: GPL-2.0-or-later
// The judge that exits ask (edge/judge.h): it goes by the rules in force, and notes what it has refused.
#ifndef EXCHANGE_RULING_H
#define EXCHANGE_RULING_H

#include "edge/judge.h"
#include "exchange/denials.h"
#include "exchange/policy/policy.h"

struct ruling {
    struct judge judge;
    const struct policy *policy; // borrowed; NULL: nothing is allowed
    struct denials *denials;
};

void ruling_init(struct ruling *ruling);
void ruling_fini(struct ruling *ruling);
void ruling_set_policy(struct ruling *ruling, const struct policy *policy);

#endif
