// SPDX-License-Identifier: GPL-2.0-or-later
// The stack as a whole: its life, the end of a turn, time. Invariant: a flow to which the end of a turn owes something is
// among the touched flows.
#include "stack/stack.h"

#include "base/memory.h"
#include "stack/exchange.h"
#include "stack/held.h"
#include "stack/lwip.h"
#include "stack/owner.h"
#include "stack/timers.h"

#include <stdlib.h>

// After the device has refused a packet.
enum { RETRY_USEC = 1000 };

struct stack *stack_new(const struct stack_config *config, const struct stack_ops *ops, void *owner, usec_t now)
{
    struct stack *stack = memory_new(sizeof *stack);
    stack->config = *config;
    stack->key = *config->key;
    stack->ops = *ops;
    stack->owner = owner;
    stack->now = stack->begun = now;
    table_init(&stack->table);
    table_init(&stack->sources);
    struct list *lists[] = {&stack->slow,      &stack->acks[ACK_SHORT], &stack->acks[ACK_LONG],
                            &stack->held,      &stack->quiet,           &stack->probed,
                            &stack->time_wait, &stack->lingering,       &stack->standing};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    pcb_open(stack);
    return stack;
}

// Every flow of the list ends up among the lingering.
static void abort_all(struct list *list)
{
    while (!list_is_empty(list)) {
        struct stack_flow *flow = container_of(list->next, struct stack_flow, life);
        stack_flow_abort(flow);
        if (flow->pcb)
            pcb_abort(flow); // TIME_WAIT
    }
}

void stack_free(struct stack *stack)
{
    abort_all(&stack->held);
    abort_all(&stack->quiet);
    abort_all(&stack->probed);
    abort_all(&stack->time_wait);
    list_for_each(node, &stack->lingering)
        stack_flow_abort(container_of(node, struct stack_flow, life)); // those that are not read yet
    for (struct list *node; (node = list_pop_front(&stack->lingering));)
        flow_free(container_of(node, struct stack_flow, life));
    pcb_close(stack);
    traffic_cache_fini(&stack->traffic);
    table_fini(&stack->table);
    table_fini(&stack->sources);
    free(stack->touched);
    free(stack);
}

// False when the device would not take a packet.
static bool flush(struct stack_flow *flow, bool link_blocked)
{
    struct stack *stack = flow->stack;
    stack->emit_failed = false;
    bool answered = flow->accepted && flow->unanswered;
    if (answered && flow->held->given_up) {
        flow->reset = true;
    } else if (answered) {
        pcb_admit(flow);
        flow_live_on(flow, &stack->quiet, KEEPALIVE_IDLE);
    }
    if (flow_has_pcb(flow) && !flow->time_wait)
        exchange_flow(flow, link_blocked);
    owner_report(flow);
    if (flow->traffic && traffic_is_over(flow->traffic))
        flow_drop_traffic(flow);
    if (flow->traffic)
        unread_settle(&flow->traffic->unread, &stack->received);
    return !stack->emit_failed;
}

void stack_flush(struct stack *stack, bool link_blocked, usec_t now)
{
    uint32_t again = 0; // flows that the next flush tries once more
    stack->now = now;
    stack->link_blocked = link_blocked;
    for (uint32_t i = 0; i < stack->touched_count; i++) { // more may be touched on the way
        struct stack_flow *flow = stack->touched[i];
        flow->touched = false;
        bool done = flush(flow, link_blocked);
        if (flow->touched)
            continue;
        if (flow_is_over(flow)) {
            flow_free(flow);
        } else if (!done) {
            flow->touched = true;
            stack->touched[again++] = flow;
        }
    }
    stack->touched_count = again;
}

usec_t stack_deadline(const struct stack *stack)
{
    usec_t due = timers_deadline(stack);
    usec_t retry = stack->touched_count > 0 ? stack->now + RETRY_USEC : USEC_NEVER;
    return due < retry ? due : retry;
}

void stack_tick(struct stack *stack, usec_t now)
{
    stack->now = now;
    timers_run(stack);
}

void stack_describe(const struct stack *stack, struct facts *facts)
{
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, stack->counters.name);
    STACK_COUNTERS(TELL)
#undef TELL
}

const struct stack_counters *stack_counters(const struct stack *stack)
{
    return &stack->counters;
}

uint32_t stack_flows(const struct stack *stack)
{
    return stack->flows;
}
