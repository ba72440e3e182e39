// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: stack->held_count is the sum of all sources' counts, and a source without a held SYN does not exist.
#include "stack/held.h"

#include "base/memory.h"
#include "packet/craft.h"
#include "stack/output.h"

#include <stdlib.h>
#include <string.h>

struct held_source {
    struct table_node node;
    struct address addr;
    uint32_t held;
};

static uint64_t source_hash(const struct stack *stack, const struct address *addr)
{
    return hash_bytes(&stack->key, addr, sizeof *addr);
}

static struct held_source *find_source(const struct stack *stack, const struct address *addr, uint64_t hash)
{
    for (struct table_node *node = table_first(&stack->sources, hash); node; node = table_next(node)) {
        struct held_source *source = container_of(node, struct held_source, node);
        if (address_equal(&source->addr, addr))
            return source;
    }
    return NULL;
}

// The source with one more held SYN; NULL when it has its share.
static struct held_source *charge_source(struct stack *stack, const struct address *addr)
{
    uint64_t hash = source_hash(stack, addr);
    struct held_source *source = find_source(stack, addr, hash);
    if (source && source->held >= stack->config.max_held_per_source)
        return NULL;
    if (!source) {
        source = memory_new(sizeof *source);
        source->addr = *addr;
        table_insert(&stack->sources, &source->node, hash);
    }
    source->held++;
    return source;
}

static void remember(struct held_syn *held, const struct segment *syn)
{
    held->seq = syn->seq;
    held->window = syn->window;
    segment_options(&held->options, syn);
}

struct stack_flow *held_begin(struct stack *stack, const struct segment *syn, uint64_t hash)
{
    if (stack->flows >= stack->config.max_flows || stack->held_count >= stack->config.max_held)
        return NULL;
    struct held_source *source = charge_source(stack, &syn->view->src);
    if (!source)
        return NULL;
    struct stack_flow *flow = flow_new(stack, hash);
    struct held_syn *held = memory_new(sizeof *held);
    held->tuple.inside = (struct endpoint){.addr = syn->view->src, .port = syn->src_port};
    held->tuple.outside = (struct endpoint){.addr = syn->view->dst, .port = syn->dst_port};
    held->source = source;
    remember(held, syn);
    flow->unanswered = true;
    flow->held = held;
    stack->held_count++;
    stack->counters.syns_held++;
    return flow;
}

void held_end(struct stack_flow *flow)
{
    struct stack *stack = flow->stack;
    struct held_source *source = flow->held->source;
    if (--source->held == 0) {
        table_remove(&stack->sources, &source->node);
        free(source);
    }
    stack->held_count--;
    free(flow->held);
    flow->unanswered = false;
    flow->pcb = NULL;
}

bool held_matches(const struct held_syn *held, const struct segment *segment)
{
    return held->tuple.inside.port == segment->src_port && held->tuple.outside.port == segment->dst_port &&
           address_equal(&held->tuple.inside.addr, &segment->view->src) &&
           address_equal(&held->tuple.outside.addr, &segment->view->dst);
}

void held_input(struct stack_flow *flow, const struct segment *segment)
{
    struct held_syn *held = flow->held;
    bool syn = (segment->flags & (SEGMENT_SYN | SEGMENT_ACK)) == SEGMENT_SYN;
    bool rst = segment->flags & SEGMENT_RST;
    if (syn) {
        held->given_up = false;
        if (segment->seq != held->seq)
            remember(held, segment); // the port was reused: the next answer is for the new attempt
    }
    if (rst && (segment->seq == held->seq || segment->seq == held->seq + 1))
        held->given_up = true;
}

size_t held_write_syn(const struct held_syn *held, uint8_t room[SEGMENT_WRITTEN_MAX])
{
    struct segment_header header = {
        .seq = held->seq,
        .flags = SEGMENT_SYN,
        .window = held->window,
        .options = &held->options,
    };
    return segment_write(room, &held->tuple.inside, &held->tuple.outside, &header);
}

void held_refuse(struct stack_flow *flow, enum stack_refusal refusal)
{
    static const enum craft_error errors[] = {
        [STACK_REFUSE_NO_HOST] = CRAFT_NO_HOST,
        [STACK_REFUSE_NO_NET] = CRAFT_NO_NET,
        [STACK_REFUSE_PROHIBITED] = CRAFT_PROHIBITED,
    };
    const struct held_syn *held = flow->held;
    uint8_t answer[CRAFT_ERROR_SIZE];
    size_t len = 0;
    if (held->given_up)
        return;
    if (refusal == STACK_REFUSE_RST) {
        struct segment_header header = {.ack = held->seq + 1, .flags = SEGMENT_RST | SEGMENT_ACK};
        len = segment_write(answer, &held->tuple.outside, &held->tuple.inside, &header);
    } else if (refusal != STACK_REFUSE_SILENT) {
        uint8_t syn[SEGMENT_WRITTEN_MAX];
        size_t syn_len = held_write_syn(held, syn);
        len = craft_icmp_error(answer, errors[refusal], syn, syn_len);
    }
    if (len > 0)
        output_bytes(flow->stack, answer, len);
}

void held_reset_stray(struct stack *stack, const struct segment *segment)
{
    if (segment->flags & SEGMENT_RST)
        return;
    struct endpoint from = {.addr = segment->view->dst, .port = segment->dst_port};
    struct endpoint to = {.addr = segment->view->src, .port = segment->src_port};
    uint8_t answer[SEGMENT_WRITTEN_MAX];
    struct segment_header header = {.seq = segment->ack, .flags = SEGMENT_RST};
    if (!(segment->flags & SEGMENT_ACK))
        header = (struct segment_header){
            .ack = segment->seq + segment_span(segment),
            .flags = SEGMENT_RST | SEGMENT_ACK,
        };
    stack->counters.strays_reset++;
    output_bytes(stack, answer, segment_write(answer, &from, &to, &header));
}
