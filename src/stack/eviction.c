// SPDX-License-Identifier: GPL-2.0-or-later
#include "stack/eviction.h"

#include "stack/lwip.h"

static void move_to_end(struct stack_flow *flow)
{
    struct traffic *traffic = flow->traffic;
    list_remove(&traffic->standing);
    list_push_back(&flow->stack->standing, &traffic->standing);
    traffic->moved = flow->stack->now;
}

void eviction_arrived(struct stack_flow *flow)
{
    if (!list_is_linked(&flow->traffic->standing))
        move_to_end(flow);
}

void eviction_read(struct stack_flow *flow)
{
    if (flow_unread(flow) > 0)
        move_to_end(flow);
    else
        list_remove(&flow->traffic->standing);
}

// The owner hears of it at the end of the turn; the memory is needed now.
static void evict(struct stack_flow *flow)
{
    list_remove(&flow->traffic->standing);
    unread_clear(&flow->traffic->unread);
    if (flow->pcb && !flow->time_wait)
        pcb_abort(flow);
    flow->evicted = flow->reset = true; // also where the application had closed in order: its last bytes are lost
    flow_touch(flow);
}

void eviction_make_room(struct stack *stack, const struct stack_flow *flow)
{
    uint64_t budget = stack->config.receive_budget;
    if (stack->link_blocked)
        return;
    while (stack->received > budget - budget / 8 && !list_is_empty(&stack->standing)) {
        struct traffic *still = container_of(stack->standing.next, struct traffic, standing);
        if (still->flow == flow || stack->now - still->moved < EVICTION_STILL_SECONDS * USEC_PER_SEC)
            return;
        evict(still->flow);
    }
}
