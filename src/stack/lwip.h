// SPDX-License-Identifier: GPL-2.0-or-later
// The calls into lwIP that run its state machines, and its calls back. Between any two of these functions lwIP's lists
// of pcbs are empty (flow.h).
#ifndef STACK_LWIP_H
#define STACK_LWIP_H

#include "packet/segment.h"
#include "stack/flow.h"

void pcb_open(struct stack *stack);
void pcb_close(struct stack *stack);

// The ends of a flow that has a pcb.
void pcb_tuple(const struct stack_flow *flow, struct stack_tuple *out);

// Gives the held SYN to lwIP, which answers it.
void pcb_admit(struct stack_flow *flow);
// Gives it a segment that passed the shield; takes the packet.
void pcb_input(struct stack_flow *flow, struct packet *packet, const struct segment *segment);
// Puts the flow among those that pcb_tick serves, or takes it off, as it needs that.
void pcb_watch(struct stack_flow *flow);
// lwIP's slow timer, for the flows that need it.
void pcb_tick(struct stack *stack);
// One keepalive probe, counted in the pcb until something is heard.
void pcb_probe(struct stack_flow *flow);
// What is on its way is sent again, now.
void pcb_send_again(struct stack_flow *flow);
// True when the segment that begins there is on its way.
bool pcb_has_sent(const struct stack_flow *flow, uint32_t seq);
// Ends a flow's pcb: with RST, unless it is in TIME_WAIT.
void pcb_abort(struct stack_flow *flow);

#endif
