// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: stack->held_count is the sum of all sources' counts, and a source without a held SYN does not exist.
#include "stack/held.h"

#include "base/checksum.h"
#include "base/cursor.h"
#include "base/memory.h"
#include "stack/craft.h"
#include "stack/header.h"
#include "stack/output.h"

#include <netinet/in.h>
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
    for (struct table_node *node = table_first(&stack->sources, hash); node != NULL; node = table_next(node)) {
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
    if (source != NULL && source->held >= stack->config.max_held_per_source)
        return NULL;
    if (source == NULL) {
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
    if (source == NULL)
        return NULL;
    struct stack_flow *flow = flow_new(stack, hash);
    struct held_syn *held = memory_new(sizeof *held);
    held->tuple.inside = (struct endpoint){.addr = syn->view->src, .port = syn->src_port};
    held->tuple.outside = (struct endpoint){.addr = syn->view->dst, .port = syn->dst_port};
    held->source = source;
    remember(held, syn);
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
    flow->held = NULL;
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
    bool rst = (segment->flags & SEGMENT_RST) != 0;
    if (syn) {
        held->given_up = false;
        if (segment->seq != held->seq)
            remember(held, segment); // the port was reused: the next answer is for the new attempt
    }
    if (rst && (segment->seq == held->seq || segment->seq == held->seq + 1))
        held->given_up = true;
}

static size_t write_options(const struct segment_options *options, uint8_t *room)
{
    struct writer w = writer_over(room, 12);
    if (options->mss != 0) {
        writer_u16(&w, 2 << 8 | 4);
        writer_u16(&w, options->mss);
    }
    if (options->has_scale) {
        writer_u16(&w, 1 << 8 | 3); // NOP in front
        writer_u16(&w, (uint16_t)(3 << 8 | options->scale));
    }
    if (options->sack)
        writer_u32(&w, 0x01010402); // two NOPs in front
    return 12 - writer_left(&w);
}

// An IP packet with a TCP header, whose options are already behind it; returns its length.
static size_t write_tcp(uint8_t *room, const struct endpoint *from, const struct endpoint *to, uint32_t seq,
                        uint32_t ack, uint8_t flags, uint16_t window, size_t options)
{
    size_t len = TCP_HEADER + options;
    size_t ip = header_put(room, &from->addr, &to->addr, IPPROTO_TCP, len, 0);
    uint8_t *tcp = room + ip;
    struct writer w = writer_over(tcp, TCP_HEADER);
    writer_u16(&w, from->port);
    writer_u16(&w, to->port);
    writer_u32(&w, seq);
    writer_u32(&w, ack);
    writer_u8(&w, (uint8_t)(len / 4 << 4));
    writer_u8(&w, flags);
    writer_u16(&w, window);
    writer_u32(&w, 0); // checksum, urgent pointer
    uint64_t sum = checksum_pseudo(&from->addr, &to->addr, IPPROTO_TCP, (uint32_t)len);
    checksum_put(tcp + TCP_CHECKSUM_AT, checksum_fold(checksum_add(sum, tcp, len)));
    return ip + len;
}

size_t held_write_syn(const struct held_syn *held, uint8_t room[HELD_SYN_SIZE])
{
    size_t ip = held->tuple.inside.addr.version == 4 ? HEADER_V4 : HEADER_V6;
    size_t options = write_options(&held->options, room + ip + TCP_HEADER);
    return write_tcp(room, &held->tuple.inside, &held->tuple.outside, held->seq, 0, SEGMENT_SYN, held->window, options);
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
        len = write_tcp(answer, &held->tuple.outside, &held->tuple.inside, 0, held->seq + 1, SEGMENT_RST | SEGMENT_ACK,
                        0, 0);
    } else if (refusal != STACK_REFUSE_SILENT) {
        uint8_t syn[HELD_SYN_SIZE];
        size_t syn_len = held_write_syn(held, syn);
        len = craft_icmp_error(answer, errors[refusal], syn, syn_len);
    }
    if (len > 0)
        output_bytes(flow->stack, answer, len);
}

void held_reset_stray(struct stack *stack, const struct segment *segment)
{
    if ((segment->flags & SEGMENT_RST) != 0)
        return;
    struct endpoint from = {.addr = segment->view->dst, .port = segment->dst_port};
    struct endpoint to = {.addr = segment->view->src, .port = segment->src_port};
    uint8_t answer[HELD_RST_SIZE];
    size_t len;
    if ((segment->flags & SEGMENT_ACK) != 0)
        len = write_tcp(answer, &from, &to, segment->ack, 0, SEGMENT_RST, 0, 0);
    else
        len = write_tcp(answer, &from, &to, 0, segment->seq + segment_span(segment), SEGMENT_RST | SEGMENT_ACK, 0, 0);
    stack->counters.strays_reset++;
    output_bytes(stack, answer, len);
}
