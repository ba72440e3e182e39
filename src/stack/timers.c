// SPDX-License-Identifier: GPL-2.0-or-later
// Every list here is in order of its due times, as all its flows wait equally long: so looking at the head is enough,
// and flows that rest cost nothing.
#include "stack/timers.h"

#include "stack/lwip.h"

enum { KEEPALIVE_INTERVAL = 75, KEEPALIVE_PROBES = 9 }; // seconds; as Linux: net.ipv4.tcp_keepalive_*

static struct stack_flow *head_by_life(const struct list *list)
{
    return list_is_empty(list) ? NULL : container_of(list->next, struct stack_flow, life);
}

static struct stack_flow *due_by_life(const struct stack *stack, const struct list *list)
{
    struct stack_flow *flow = head_by_life(list);
    return flow && flow->life_due <= stack_seconds(stack) ? flow : NULL;
}

static void probe(struct stack_flow *flow)
{
    pcb_probe(flow);
    flow_live_on(flow, &flow->stack->probed, KEEPALIVE_INTERVAL);
}

// A flow was established KEEPALIVE_IDLE ago, or last looked at then.
static void examine_quiet(struct stack_flow *flow)
{
    struct stack *stack = flow->stack;
    if (stack_seconds(stack) - flow->heard >= KEEPALIVE_IDLE && flow->established)
        probe(flow);
    else
        flow_live_on(flow, &stack->quiet, KEEPALIVE_IDLE);
}

static void examine_probed(struct stack_flow *flow)
{
    struct stack *stack = flow->stack;
    if (flow->pcb->keep_cnt_sent == 0)
        flow_live_on(flow, &stack->quiet, KEEPALIVE_IDLE);
    else if (flow->pcb->keep_cnt_sent < KEEPALIVE_PROBES)
        probe(flow);
    else
        pcb_abort(flow);
}

static void release_acks(struct stack *stack, struct list *list)
{
    while (!list_is_empty(list)) {
        struct traffic *traffic = container_of(list->next, struct traffic, ack);
        if (traffic->ack_due > stack->now)
            return;
        list_remove(&traffic->ack);
        traffic->flow->ack_overdue = true;
        flow_touch(traffic->flow);
    }
}

void timers_run(struct stack *stack)
{
    struct stack_flow *flow;
    if (!list_is_empty(&stack->slow) && stack->slow_due <= stack->now) {
        stack->slow_due = stack->now + TCP_SLOW_INTERVAL * USEC_PER_MSEC;
        pcb_tick(stack);
    }
    while ((flow = due_by_life(stack, &stack->time_wait)))
        pcb_abort(flow);
    while ((flow = due_by_life(stack, &stack->quiet)))
        examine_quiet(flow);
    while ((flow = due_by_life(stack, &stack->probed)))
        examine_probed(flow);
    for (int kind = 0; kind < ACK_WAITS; kind++)
        release_acks(stack, &stack->acks[kind]);
}

static usec_t sooner(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static usec_t life_deadline(const struct stack *stack, const struct list *list)
{
    const struct stack_flow *flow = head_by_life(list);
    return !flow ? USEC_NEVER : stack->begun + flow->life_due * USEC_PER_SEC;
}

usec_t timers_deadline(const struct stack *stack)
{
    usec_t due = list_is_empty(&stack->slow) ? USEC_NEVER : stack->slow_due;
    due = sooner(due, life_deadline(stack, &stack->time_wait));
    due = sooner(due, life_deadline(stack, &stack->quiet));
    due = sooner(due, life_deadline(stack, &stack->probed));
    for (int kind = 0; kind < ACK_WAITS; kind++)
        if (!list_is_empty(&stack->acks[kind]))
            due = sooner(due, container_of(stack->acks[kind].next, struct traffic, ack)->ack_due);
    return due;
}
