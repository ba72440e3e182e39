// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: a flow is on exactly one of the life lists, and in the table until its pcb, or the SYN that was never
// answered, is gone.
#include "stack/flow.h"

#include "base/memory.h"
#include "packet/header.h"
#include "packet/segment.h"

#include <stdlib.h>

enum { TOUCHED_FIRST = 64 }; // doubles as needed

struct stack_flow *flow_new(struct stack *stack, uint64_t hash)
{
    struct stack_flow *flow = memory_new(sizeof *flow);
    flow->stack = stack;
    list_init(&flow->life);
    table_insert(&stack->table, &flow->node, hash);
    list_push_back(&stack->held, &flow->life);
    stack->flows++;
    return flow;
}

void flow_touch(struct stack_flow *flow)
{
    if (flow->touched)
        return;
    struct stack *stack = flow->stack;
    if (stack->touched_count == stack->touched_room) {
        stack->touched_room = stack->touched_room ? 2 * stack->touched_room : TOUCHED_FIRST;
        stack->touched = memory_resize(stack->touched, stack->touched_room * sizeof *stack->touched);
    }
    flow->touched = true;
    stack->touched[stack->touched_count++] = flow;
}

void flow_live_on(struct stack_flow *flow, struct list *list, uint32_t seconds)
{
    list_remove(&flow->life);
    list_push_back(list, &flow->life);
    flow->life_due = stack_seconds(flow->stack) + seconds + 1; // the current second has begun already
}

struct traffic *flow_traffic(struct stack_flow *flow)
{
    if (!flow->traffic)
        flow->traffic = traffic_new(&flow->stack->traffic, flow);
    return flow->traffic;
}

void flow_drop_traffic(struct stack_flow *flow)
{
    if (flow->traffic)
        traffic_free(&flow->stack->traffic, flow->traffic);
    flow->traffic = NULL;
}

bool flow_is_over(const struct stack_flow *flow)
{
    return flow->orphaned && !flow_has_pcb(flow);
}

void flow_free(struct stack_flow *flow)
{
    flow_drop_traffic(flow);
    list_remove(&flow->life);
    free(flow);
}

uint32_t flow_data_in(const struct tcp_pcb *pcb, uint32_t mtu)
{
    return mtu - (IP_IS_V6(&pcb->remote_ip) ? HEADER_V6 : HEADER_V4) - TCP_HEADER;
}

bool flow_shorten(struct stack_flow *flow, uint32_t mtu)
{
    uint32_t fits = flow_data_in(flow->pcb, mtu);
    if (fits >= flow->gso)
        return false;
    flow->gso = (uint16_t)fits;
    flow->stack->counters.shortened++;
    return true;
}
