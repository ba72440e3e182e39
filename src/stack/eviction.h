// SPDX-License-Identifier: GPL-2.0-or-later
// Flows that hold bytes which nobody has read, in the order in which these last moved. When the receive budget is used
// up by flows whose far ends take nothing, no newcomer's first byte would be taken any more: those that have stood
// still for long then go, the longest first. On a link that is only slow everybody moves now and then, and nobody goes;
// nor while the link itself takes nothing, which is nobody's fault and may pass.
#ifndef STACK_EVICTION_H
#define STACK_EVICTION_H

#include "stack/flow.h"

enum { EVICTION_STILL_SECONDS = 5 }; // long beside a slow link's turns, short beside an application's patience

// Bytes came for the flow, or were read.
void eviction_arrived(struct stack_flow *flow);
void eviction_read(struct stack_flow *flow);
// Resets flows that stand still until an eighth of the budget is free, but never `flow`, which wants room.
void eviction_make_room(struct stack *stack, const struct stack_flow *flow);

#endif
