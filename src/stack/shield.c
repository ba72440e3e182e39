// SPDX-License-Identifier: GPL-2.0-or-later
// The rules, and what they keep lwIP from:
//  - no options behind the SYN: an MSS option there would change the MSS under queued segments (assert in tcp_write);
//  - no byte beyond the receive window, wherever in the window the segment begins: lwIP queues out-of-order data
//    untrimmed and counts the window down below zero when they come in order (assert in tcp_receive);
//  - no FIN out of order: merged with data that end at the window's edge, it would need one number more than the window
//    has. Its sender repeats it;
//  - no SYN once the handshake is done, no acknowledgement that nobody could have sent;
//  - nothing beyond the budget of received bytes.
#include "stack/shield.h"

#include "stack/eviction.h"

static unsigned shield_syn(const struct tcp_pcb *pcb, const struct segment *segment)
{
    if (segment->flags & SEGMENT_ACK)
        return 0; // we connect to nobody
    if (pcb->state != SYN_RCVD)
        return SHIELD_ANSWER; // RFC 5961 section 4
    return segment->seq + 1 == pcb->rcv_nxt ? SHIELD_PASS : 0;
}

// RFC 5961 section 5.2. Before the handshake is done lwIP answers a wrong one with RST, as it must.
static bool ack_is_plausible(const struct tcp_pcb *pcb, const struct segment *segment)
{
    if (pcb->state == SYN_RCVD || (segment->flags & SEGMENT_ACK) == 0)
        return true;
    return sequence_order(segment->ack, pcb->lastack - pcb->snd_wnd_max) >= 0 &&
           sequence_order(segment->ack, pcb->snd_nxt) <= 0;
}

// True when something was cut off.
static bool fit_into_window(const struct tcp_pcb *pcb, struct segment *segment)
{
    uint32_t edge = pcb->rcv_nxt + pcb->rcv_wnd;
    bool early = sequence_order(segment->seq, pcb->rcv_nxt) > 0;
    bool fin = segment->flags & SEGMENT_FIN;
    if (sequence_order(segment->seq, edge) > 0 || sequence_order(segment->seq + segment_span(segment), edge) > 0) {
        uint32_t room = sequence_order(segment->seq, edge) < 0 ? edge - segment->seq : 0;
        segment_trim(segment, room < segment->len ? room : segment->len);
        return true;
    }
    if (early && fin)
        segment_clear_fin(segment);
    return early && fin;
}

static bool holds_little(const struct stack_flow *flow)
{
    enum { LITTLE = 65536 }; // bytes: a window without scaling
    return flow_unread(flow) < LITTLE;
}

// The last quarter of the budget is for flows that hold little, so that a few that nobody reads do not starve the rest.
static bool fits_into_budget(const struct stack_flow *flow, const struct segment *segment)
{
    uint64_t budget = flow->stack->config.receive_budget, after = flow->stack->received + segment->len;
    return after <= (holds_little(flow) ? budget : budget - budget / 4);
}

static unsigned shield_data(const struct stack_flow *flow, struct segment *segment)
{
    struct stack_counters *counters = &flow->stack->counters;
    bool cut = fit_into_window(flow->pcb, segment);
    counters->shielded += cut;
    if (segment->len > 0 && holds_little(flow) && !fits_into_budget(flow, segment))
        eviction_make_room(flow->stack, flow);
    if (segment->len > 0 && !fits_into_budget(flow, segment)) {
        counters->over_budget++;
        segment_trim(segment, 0); // what it acknowledges still counts; its data come again
    }
    return cut ? SHIELD_PASS | SHIELD_ANSWER : SHIELD_PASS;
}

unsigned shield_segment(const struct stack_flow *flow, struct segment *segment)
{
    struct stack_counters *counters = &flow->stack->counters;
    segment_strip_options(segment);
    if (segment->flags & (SEGMENT_SYN | SEGMENT_RST))
        segment_trim(segment, 0);
    if (segment->flags & SEGMENT_RST)
        return SHIELD_PASS; // lwIP wants the exact number (RFC 5961 section 3.2)
    if (segment->flags & SEGMENT_SYN) {
        unsigned verdict = shield_syn(flow->pcb, segment);
        counters->shielded += verdict != SHIELD_PASS;
        return verdict;
    }
    if (!ack_is_plausible(flow->pcb, segment)) {
        counters->shielded++;
        return SHIELD_ANSWER;
    }
    return shield_data(flow, segment);
}
