// SPDX-License-Identifier: GPL-2.0-or-later
#include "stack/holders.h"

#include "stack/engine.h"

static void move_to_end(struct stack_flow *flow)
{
    struct traffic *traffic = flow->traffic;
    list_remove(&traffic->holds);
    list_push_back(&flow->stack->holders, &traffic->holds);
    traffic->moved = flow->stack->now;
}

void holders_came(struct stack_flow *flow)
{
    if (!list_is_linked(&flow->traffic->holds))
        move_to_end(flow);
}

void holders_read(struct stack_flow *flow)
{
    if (flow_waiting(flow) > 0)
        move_to_end(flow);
    else
        list_remove(&flow->traffic->holds);
}

// The owner hears of it at the end of the turn; the memory is needed now.
static void evict(struct stack_flow *flow)
{
    list_remove(&flow->traffic->holds);
    inbox_clear(&flow->traffic->inbox);
    if (flow->pcb != NULL && !flow->time_wait)
        engine_abort(flow);
    flow->evicted = flow->reset = true; // also where the application had closed in order: its last bytes are lost
    flow_touch(flow);
}

void holders_make_room(struct stack *stack, const struct stack_flow *flow)
{
    uint64_t budget = stack->config.receive_budget;
    if (stack->link_blocked)
        return;
    while (stack->received > budget - budget / 8 && !list_is_empty(&stack->holders)) {
        struct traffic *still = container_of(stack->holders.next, struct traffic, holds);
        if (still->flow == flow || stack->now - still->moved < HOLDERS_STILL_SECONDS * USEC_PER_SEC)
            return;
        evict(still->flow);
    }
}
