// SPDX-License-Identifier: GPL-2.0-or-later
// SYNs that wait for the far side's answer. What is kept of one is what its options said, not its bytes: the SYN that
// lwIP or an ICMP error gets in the end is written anew, so no parser but ours ever sees what the application sent.
#ifndef STACK_HELD_H
#define STACK_HELD_H

#include "packet/segment.h"
#include "stack/flow.h"

struct held_source; // how many SYNs one address has held

struct held_syn {
    struct stack_tuple tuple;
    struct held_source *source;
    uint32_t seq;
    uint16_t window;
    bool given_up; // by the application
    struct segment_options options;
};

// Begins a flow; NULL at a limit.
struct stack_flow *held_begin(struct stack *stack, const struct segment *syn, uint64_t hash);
// Lets go of what was held; the flow stays.
void held_end(struct stack_flow *flow);
bool held_matches(const struct held_syn *held, const struct segment *segment);
// A segment for a held flow: a repeated SYN, another attempt from the same port, or the application's RST. After that the
// flow still waits for its answer, which nobody gets to see: so whoever opens and gives up by turns, a port scan, stays
// within its share of held SYNs, and the peer is not flooded with sessions that end before they begin.
void held_input(struct stack_flow *flow, const struct segment *segment);

// The SYN as an IP packet; returns its length.
size_t held_write_syn(const struct held_syn *held, uint8_t room[SEGMENT_WRITTEN_MAX]);
void held_refuse(struct stack_flow *flow, enum stack_refusal refusal);
// Answers a segment that belongs to no flow with RST (RFC 9293 section 3.10.7.1).
void held_reset_stray(struct stack *stack, const struct segment *segment);

#endif
