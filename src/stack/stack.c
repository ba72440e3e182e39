// SPDX-License-Identifier: GPL-2.0-or-later
// The stack as a whole: packets in, end of turn, time. Invariant: every flow is on exactly one of the life lists, and
// whatever an end of turn owes it, it is on the list of touched flows.
#include "stack/stack.h"

#include "base/memory.h"
#include "stack/demux.h"
#include "stack/engine.h"
#include "stack/held.h"
#include "stack/shield.h"
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
    stack->touched_end = &stack->touched;
    struct list *lists[] = {&stack->hot,       &stack->acks[ACK_SHORT], &stack->acks[ACK_LONG],
                            &stack->held,      &stack->quiet,           &stack->probed,
                            &stack->time_wait, &stack->lingering,       &stack->holders};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    engine_open(stack);
    return stack;
}

static struct stack_flow *pop_touched(struct stack *stack)
{
    struct stack_flow *flow = stack->touched;
    if (flow == NULL)
        return NULL;
    stack->touched = flow->next;
    if (stack->touched == NULL)
        stack->touched_end = &stack->touched;
    flow->touched = false;
    return flow;
}

// Every flow of the list ends up among the lingering.
static void abort_all(struct list *list)
{
    while (!list_is_empty(list)) {
        struct stack_flow *flow = container_of(list->next, struct stack_flow, life);
        stack_flow_abort(flow);
        if (flow->pcb != NULL)
            engine_abort(flow); // TIME_WAIT
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
    for (struct list *node; (node = list_pop_front(&stack->lingering)) != NULL;)
        flow_free(container_of(node, struct stack_flow, life));
    engine_close(stack);
    traffic_cache_fini(&stack->traffic);
    table_fini(&stack->table);
    table_fini(&stack->sources);
    free(stack);
}

// What rests in TIME_WAIT gives way to a new flow.
static void make_room(struct stack *stack)
{
    if (stack->flows + stack->waits_count >= stack->config.max_flows && !list_is_empty(&stack->time_wait))
        engine_abort(container_of(stack->time_wait.next, struct stack_flow, life));
}

// A segment that belongs to no flow.
static void greet(struct stack *stack, const struct segment *segment, uint64_t hash)
{
    if ((segment->flags & (SEGMENT_SYN | SEGMENT_ACK | SEGMENT_RST)) != SEGMENT_SYN) {
        held_reset_stray(stack, segment);
        return;
    }
    make_room(stack);
    struct stack_flow *flow = held_begin(stack, segment, hash);
    if (flow == NULL) {
        stack->counters.syns_dropped++;
        return;
    }
    struct stack_tuple tuple = flow->held->tuple; // the owner may refuse the flow before it returns
    void *owner = stack->ops.syn(stack->owner, flow, &tuple);
    if (flow->orphaned)
        return;
    flow->owner = owner;
    if (owner == NULL)
        stack_flow_refuse(flow, STACK_REFUSE_SILENT);
}

static void input_to_flow(struct stack_flow *flow, struct packet *packet, struct segment *segment)
{
    flow->heard = stack_seconds(flow->stack);
    flow_touch(flow);
    unsigned verdict = shield_segment(flow, segment);
    if ((verdict & SHIELD_ANSWER) != 0)
        flow->answer_now = true;
    if ((verdict & SHIELD_PASS) != 0)
        engine_input(flow, packet, segment);
    else
        packet_drop(packet);
    flow_report(flow);
}

static bool opens_again(const struct stack_flow *flow, const struct segment *segment)
{
    return flow->time_wait && (segment->flags & (SEGMENT_SYN | SEGMENT_ACK | SEGMENT_RST)) == SEGMENT_SYN;
}

void stack_input(struct stack *stack, struct packet *packet, const struct packet_view *view, usec_t now)
{
    struct segment segment;
    stack->now = now;
    stack->counters.packets_in++;
    bool good = segment_parse(&segment, view);
    stack->counters.malformed += !good;
    if (good && !packet_is_vouched_for(&packet->vnet) && !segment_checksum_is_right(&segment)) {
        stack->counters.bad_checksum++;
        good = false;
    }
    if (!good) {
        packet_drop(packet);
        return;
    }
    uint64_t hash = demux_hash(stack, &segment);
    struct stack_flow *flow = demux_find(stack, &segment, hash);
    if (flow != NULL && opens_again(flow, &segment)) {
        engine_abort(flow);
        flow = NULL;
    }
    if (flow != NULL && flow->pcb != NULL) {
        input_to_flow(flow, packet, &segment);
        return;
    }
    if (flow != NULL)
        held_input(flow, &segment);
    else
        greet(stack, &segment, hash);
    packet_drop(packet);
}

void stack_flush(struct stack *stack, bool link_blocked, usec_t now)
{
    struct stack_flow *again = NULL;
    struct stack_flow *flow;
    stack->now = now;
    stack->link_blocked = link_blocked;
    while ((flow = pop_touched(stack)) != NULL) {
        bool done = flow_flush(flow, link_blocked);
        if (flow_is_over(flow)) {
            if (!flow->touched)
                flow_free(flow);
        } else if (!done && !flow->touched) {
            flow->touched = true; // by ourselves: for the next flush
            flow->next = again;
            again = flow;
        }
    }
    while ((flow = again) != NULL) {
        again = flow->next;
        flow->touched = false;
        flow_touch(flow);
    }
}

usec_t stack_deadline(const struct stack *stack)
{
    usec_t due = timers_deadline(stack);
    usec_t retry = stack->touched != NULL ? stack->now + RETRY_USEC : USEC_NEVER;
    return due < retry ? due : retry;
}

void stack_tick(struct stack *stack, usec_t now)
{
    stack->now = now;
    timers_run(stack);
}

const struct stack_counters *stack_counters(const struct stack *stack)
{
    return &stack->counters;
}

uint32_t stack_flows(const struct stack *stack)
{
    return stack->flows;
}
