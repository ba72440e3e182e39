// SPDX-License-Identifier: GPL-2.0-or-later
// Everything that happens by time alone.
#ifndef STACK_TIMERS_H
#define STACK_TIMERS_H

#include "stack/flow.h"

void timers_run(struct stack *stack);
usec_t timers_deadline(const struct stack *stack);

#endif
