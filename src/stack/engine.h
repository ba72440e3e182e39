// SPDX-License-Identifier: GPL-2.0-or-later
// The calls into lwIP that run its state machines, and its calls back. Between any two of these functions lwIP's lists
// of pcbs are empty (core.h).
#ifndef STACK_ENGINE_H
#define STACK_ENGINE_H

#include "packet/segment.h"
#include "stack/core.h"

void engine_open(struct stack *stack);
void engine_close(struct stack *stack);

// Gives the held SYN to lwIP, which answers it.
void engine_admit(struct stack_flow *flow);
// Gives it a segment that passed the shield; takes the packet.
void engine_input(struct stack_flow *flow, struct packet *packet, const struct segment *segment);
// Puts the flow among those that engine_tick serves, if it needs that.
void engine_watch(struct stack_flow *flow);
// lwIP's slow timer, for the flows that need it.
void engine_tick(struct stack *stack);
// Ends a flow's pcb: with RST, unless it is in TIME_WAIT.
void engine_abort(struct stack_flow *flow);

#endif
