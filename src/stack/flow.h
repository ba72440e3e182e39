// SPDX-License-Identifier: GPL-2.0-or-later
// The stack and its flows, as the files of this room share them; nobody else includes it. Each calls only those further
// down:
//
//     turn.c       life, end of turn        input.c      packets in
//     timers.c     what time does           shield.c     what lwIP may see
//     owner.c      what owners ask and hear exchange.c   flow and pcb at the end of a turn
//     eviction.c   who gives way            demux.c      whose segment it is
//     lwip.c       the calls into lwIP
//     held.c       SYNs not answered yet
//     output.c     packets out
//     flow.c  traffic.c  unread.c  unacked.c  packet_pbuf.c
//
// lwIP is used with its pcbs detached: between two calls into it, its lists of active and of TIME_WAIT pcbs are empty,
// and a pcb is put there alone while lwIP works on it. So finding a flow is our table's work, lwIP never walks over all
// of them, and closing or aborting any flow is safe at any time.
#ifndef STACK_FLOW_H
#define STACK_FLOW_H

#include "base/list.h"
#include "base/table.h"
#include "stack/stack.h"
#include "stack/traffic.h"

#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"

#include <assert.h>

struct held_syn;

enum {
    // We are the near end of a link of one hop that loses nothing: TIME_WAIT only has to answer a FIN sent again.
    TIME_WAIT_KEPT = 1,    // seconds
    KEEPALIVE_IDLE = 7200, // seconds, as Linux: net.ipv4.tcp_keepalive_time
};

// Two FIFOs of acknowledgements that wait for something better than a packet of their own.
enum ack_wait { ACK_SHORT, ACK_LONG, ACK_WAITS };

// 10,000 of these are held at once: what only a busy flow needs is in its traffic.
struct stack_flow {
    struct table_node node;
    struct stack *stack;
    void *owner;
    union {
        struct held_syn *held; // while it is `unanswered`
        struct tcp_pcb *pcb;   // from then on; NULL when lwIP has let go of it
    };
    struct list life;        // always on one of the stack's lists: held, quiet, probed, time_wait, lingering
    struct traffic *traffic; // NULL: nothing is on its way
    uint32_t life_due;       // seconds: when the list `life` wants to look at it again
    uint32_t heard;          // seconds: when the application last sent something
    uint32_t ack_sent;       // what the last packet acknowledged
    uint32_t window;         // receive window that the flow may use, bytes
    uint32_t consumed;       // bytes read since the window last grew
    uint16_t gso;            // the application's MSS
    bool touched : 1;        // among the stack's touched flows
    bool unanswered : 1;     // its SYN is held
    bool accepted : 1;       // the owner wants the held SYN answered
    bool established : 1;    // the handshake is done
    bool finishing : 1;      // the owner wrote its last byte
    bool fin_queued : 1;     // and lwIP knows
    bool time_wait : 1;
    bool answer_now : 1;  // the application must hear where we are; any packet will do
    bool ack_overdue : 1; // it has waited long enough
    bool told : 1;        // readable was reported, and not all has been read since
    bool finished : 1;    // these three: to be reported
    bool closed : 1;
    bool reset : 1;
    bool evicted : 1;  // reset by ourselves, for want of memory
    bool orphaned : 1; // the owner has heard that it ended, or ended it
};

struct stack {
    struct stack_config config;
    struct hash_key key;
    struct stack_ops ops;
    void *owner;
    struct stack_counters counters;
    usec_t now;   // of the last call
    usec_t begun; // seconds are counted from here

    struct table table;   // by 4-tuple: held flows and those with a pcb
    struct table sources; // of held SYNs
    uint32_t flows;       // that an owner knows of
    uint32_t held_count;  // of those, not answered yet
    uint32_t waits_count; // in TIME_WAIT
    uint64_t received;    // bytes charged for what lwIP and the unreades hold

    struct stack_flow **touched; // those to which the end of the turn owes something
    uint32_t touched_count;
    uint32_t touched_room;
    struct list slow; // traffic of flows that need lwIP's slow timer
    usec_t slow_due;
    struct list acks[ACK_WAITS];
    struct list standing; // traffic with bytes that wait to be read, the longest unmoved first
    struct list held;
    struct list quiet;     // looked at for silence once in KEEPALIVE_IDLE
    struct list probed;    // silent for so long; KEEPALIVE_INTERVAL
    struct list time_wait; // TIME_WAIT_KEPT
    struct list lingering; // pcb gone; the owner has not read all, or the next flush frees it
    struct traffic_cache traffic;

    struct netif netif;
    struct tcp_pcb *listener;
    bool emit_failed;  // the device did not take a packet
    bool link_blocked; // at the latest end of a turn
    uint8_t scratch[PACKET_SIZE];
};

static_assert(sizeof(struct stack_flow) <= 88, "ten thousand held flows stay small");

struct stack_flow *flow_new(struct stack *stack, uint64_t hash);
// The end of the turn has something to do for it.
void flow_touch(struct stack_flow *flow);
// Moves the flow to the end of another life list, where it is looked at after `seconds` and up to one more.
void flow_live_on(struct stack_flow *flow, struct list *list, uint32_t seconds);
// The flow's traffic, which begins with this call if it has none.
struct traffic *flow_traffic(struct stack_flow *flow);
void flow_drop_traffic(struct stack_flow *flow);
// True when nobody needs it any more.
bool flow_is_over(const struct stack_flow *flow);
void flow_free(struct stack_flow *flow);
// Bytes of data of a segment in a packet of `mtu`.
uint32_t flow_data_in(const struct tcp_pcb *pcb, uint32_t mtu);
// Segments that fit into packets of `mtu` from here on. False when they do already.
bool flow_shorten(struct stack_flow *flow, uint32_t mtu);

// Bytes received and not read.
static inline uint32_t flow_unread(const struct stack_flow *flow)
{
    return flow->traffic ? flow->traffic->unread.waiting : 0;
}

static inline bool flow_has_pcb(const struct stack_flow *flow)
{
    return !flow->unanswered && flow->pcb;
}

static inline uint32_t stack_seconds(const struct stack *stack)
{
    return (uint32_t)((stack->now - stack->begun) / USEC_PER_SEC);
}

#endif
