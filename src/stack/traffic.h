// SPDX-License-Identifier: GPL-2.0-or-later
// What a flow needs only while bytes are on their way: a flow that rests has none, so that ten thousand of them are
// cheap to hold. Recycled, as most flows are busy for moments.
#ifndef STACK_TRAFFIC_H
#define STACK_TRAFFIC_H

#include "base/clock.h"
#include "base/list.h"
#include "stack/stack.h"
#include "stack/unacked.h"
#include "stack/unread.h"

struct stack_flow;

struct traffic {
    struct traffic *next_free;
    struct stack_flow *flow;
    struct unread unread;
    struct unacked unacked;
    struct list ack; // the flow's acknowledgement waits, until `ack_due`
    usec_t ack_due;
    struct list slow;         // on the stack's list of that name while its pcb needs lwIP's slow timer
    struct list standing;     // on the stack's list of that name while `unread` has bytes
    usec_t moved;             // when any of those were read last, or the first came
    struct stack_tuple tuple; // once the pcb is gone
    uint32_t unreturned;      // bytes read, not yet given back to lwIP's window
    uint32_t acked;           // bytes acknowledged by the application, not yet reported
};

struct traffic_cache {
    struct traffic *free;
    uint32_t count;
};

struct traffic *traffic_new(struct traffic_cache *cache, struct stack_flow *flow);
void traffic_free(struct traffic_cache *cache, struct traffic *traffic);
void traffic_cache_fini(struct traffic_cache *cache);
bool traffic_is_over(const struct traffic *traffic);

#endif
