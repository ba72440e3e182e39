// SPDX-License-Identifier: GPL-2.0-or-later
// Between a flow and its owner: the functions on flows of stack.h, and what the owner is told.
#ifndef STACK_OWNER_H
#define STACK_OWNER_H

#include "stack/flow.h"

// Tells the owner what happened. The flow may be over for the owner afterwards.
void owner_report(struct stack_flow *flow);

#endif
