// SPDX-License-Identifier: GPL-2.0-or-later
// A packet's way to its flow: what is malformed goes no further, what belongs to nobody is a new SYN or a stray.
#include "stack/demux.h"
#include "stack/eviction.h"
#include "stack/held.h"
#include "stack/lwip.h"
#include "stack/owner.h"
#include "stack/shield.h"
#include "stack/stack.h"

// What rests in TIME_WAIT gives way to a new flow.
static void make_room(struct stack *stack)
{
    if (stack->flows + stack->waits_count >= stack->config.max_flows && !list_is_empty(&stack->time_wait))
        pcb_abort(container_of(stack->time_wait.next, struct stack_flow, life));
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
    if (!flow) {
        stack->counters.syns_dropped++;
        return;
    }
    struct stack_tuple tuple = flow->held->tuple; // the owner may refuse the flow before it returns
    void *owner = stack->ops.syn(stack->owner, flow, &tuple);
    if (flow->orphaned)
        return;
    flow->owner = owner;
    if (!owner)
        stack_flow_refuse(flow, STACK_REFUSE_SILENT);
}

static void input_to_flow(struct stack_flow *flow, struct packet *packet, struct segment *segment)
{
    flow->heard = stack_seconds(flow->stack);
    flow_touch(flow);
    unsigned verdict = shield_segment(flow, segment);
    if (verdict & SHIELD_ANSWER)
        flow->answer_now = true;
    if (verdict & SHIELD_PASS)
        pcb_input(flow, packet, segment);
    else
        packet_drop(packet);
    if (flow_unread(flow) > 0)
        eviction_arrived(flow);
    owner_report(flow);
}

static bool opens_again(const struct stack_flow *flow, const struct segment *segment)
{
    return flow->time_wait && (segment->flags & (SEGMENT_SYN | SEGMENT_ACK | SEGMENT_RST)) == SEGMENT_SYN;
}

bool stack_too_big(struct stack *stack, const struct too_big *said, usec_t now)
{
    struct packet_view view = {.src = said->inside.addr, .dst = said->outside.addr};
    struct segment segment = {.view = &view, .src_port = said->inside.port, .dst_port = said->outside.port};
    struct stack_flow *flow = demux_find(stack, &segment, demux_hash(stack, &segment));
    stack->now = now;
    if (!flow || !flow_has_pcb(flow) || flow->time_wait || !pcb_has_sent(flow, said->seq))
        return false;
    if (flow_shorten(flow, said->mtu))
        pcb_send_again(flow);
    flow_touch(flow);
    return true;
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
    if (flow && opens_again(flow, &segment)) {
        pcb_abort(flow);
        flow = NULL;
    }
    if (flow && !flow->unanswered) {
        input_to_flow(flow, packet, &segment);
        return;
    }
    if (flow)
        held_input(flow, &segment);
    else
        greet(stack, &segment, hash);
    packet_drop(packet);
}
