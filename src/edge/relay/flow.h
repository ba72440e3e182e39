// SPDX-License-Identifier: GPL-2.0-or-later
// What all sockets of an edge share, and what all its flows have in common. A flow is one session and the socket that serves
// it. It lives from relay_flow_add to relay_flow_retire, which is called once, when both its session and its socket are
// done with; its memory goes later, in relay_turn, so no callback frees its caller.
//
// Sessions are the peer's or ours. Of the peer's the socket goes to the far end; of ours it comes from an application,
// and the edge's kind says what becomes of it when the session is refused.
#ifndef EDGE_RELAY_FLOW_H
#define EDGE_RELAY_FLOW_H

#include "base/timeline.h"
#include "edge/edge.h"
#include "edge/relay/batch.h"
#include "edge/relay/queue.h"
#include "os/alarm.h"
#include "os/socket/poller.h"
#include "usher/session.h"

#include <uv.h>

enum { RELAY_REMAINDER_MAX = 16 << 20 };

// What a flow can wait for.
enum relay_wait {
    RELAY_WAIT_CONNECT,
    RELAY_WAIT_DRAIN,
    RELAY_WAIT_UDP,
    RELAY_WAIT_UDP_DNS,
    RELAY_WAIT_ECHO,
    RELAY_WAITS
};

struct relay_config {
    uv_loop_t *loop;
    struct poller *poller;     // borrowed
    void (*wake)(void *owner); // relay_turn must be called before the loop sleeps; only a flag may be set in it
    void *owner;
    bool udp_offload; // datagrams may go and come as batches (batch.h)
    uint32_t connect_timeout_ms;
    uint32_t udp_idle_ms;
    uint32_t udp_dns_idle_ms;
    uint64_t remainder_budget; // bytes (remainder.h); 0: RELAY_REMAINDER_MAX
};

struct relay {
    struct relay_config config;
    uint32_t count;      // of flows
    uint32_t pending;    // of them, not answered yet
    struct list resting; // flows that wait for nothing
    struct timeline waits[RELAY_WAITS];
    struct list retired;   // flows to be freed
    struct alarm alarm;    // for the first of `waits`
    struct list unflushed; // queues (queue.h) with bytes gathered in this turn
    struct queue_spares spares;
    uint64_t remainder;           // bytes that sessions which are over have left
    uint64_t remainders_lost;     // flows that were reset over it
    struct udp_inbox *inbox;      // what UDP sockets brought last; NULL until one has
    struct datagram_batch *batch; // datagrams for one of them, until the end of the turn
};

struct relay_flow;
struct relay_queue;

// The flows of one protocol of one edge.
struct relay_kind {
    struct relay *relay;
    // What the flow waited for has not come in time.
    void (*expired)(struct relay_flow *flow);
    // Closes the socket hard and retires the flow. Its session is gone.
    void (*abandon)(struct relay_flow *flow);
    // The end inside: the application, or who the peer says it is; NULL for TCP of the peer's, where only the peer knows.
    const struct endpoint *(*inside)(const struct relay_flow *flow);
    // The far end's name; NULL, or a kind without this: `outside` has its address.
    const char *(*host)(const struct relay_flow *flow);
    // What the peer asked for, as text, "" where `outside` says it; NULL: it always does.
    const char *(*asked)(const struct relay_flow *flow);
    // What a flow that is not answered is doing; NULL: the session's own word.
    const char *(*state)(const struct relay_flow *flow);
    // Of our own sessions, else NULL. The peer has accepted: what is to be said to the application before it hears the far
    // end can be written now. May be NULL.
    void (*opened)(struct relay_flow *flow);
    // The session has ended before it was opened: the callee says so to the application, closes and retires.
    void (*refused)(struct relay_flow *flow, enum usher_word word, const char *text);
};

// 10,000 of these are held at once: what is needed one after the other shares its place, and what only a stream needs
// stands where there is room.
struct relay_flow {
    // First, as owner of the session's callbacks. `timed` is in relay->resting, one of relay->waits, later relay->retired;
    // its `own`: when the flow began, seconds. `session` NULL: over, or not there yet.
    struct opening opening;
    const struct relay_kind *kind;
    union {
        void *making;              // the edge's, as long as there is no socket: what will make one
        struct relay_queue *queue; // of a stream: bytes that wait for the socket; NULL when there are none
        int error;                 // of a stream that is `broken`: errno
    };
    struct endpoint outside; // what it goes to; for pings the port is the peer's echo identifier
    uint8_t protocol;
    uint8_t phase;    // the edge's own
    bool pending : 1; // not answered yet
    bool by_name : 1; // opened by HOSTNAME: one fixed far end (doc/PROTOCOL.md section 8)
    bool closing : 1; // an association that was idle; waits for `ended`
    // Of a stream (stream.h).
    bool connected : 1;
    bool readable : 1;     // there may be bytes, or the end, to read
    bool insistent : 1;    // a short read is not the last: there is an end or an urgent mark
    bool blocked : 1;      // the socket takes no more
    bool broken : 1;       // its end has broken the connection; what came before is still to be read
    bool eof : 1;          // its end has finished
    bool peer_stopped : 1; // the peer takes no more
    bool finishing : 1;    // the peer has finished: shut down once the queue is written
    bool remains : 1;      // its session is over, and what is in the queue counts as left
};

static inline bool relay_flow_is_ours(const struct relay_flow *flow)
{
    return flow->kind->refused;
}

// A new flow of `size` bytes that begins with a struct relay_flow, to where `open` goes, without a session yet.
struct relay_flow *relay_flow_add(const struct relay_kind *kind, size_t size, const struct usher_open *open);
// Out of every list and count; the next turn frees it.
void relay_flow_retire(struct relay_flow *flow);
// It is not pending any more.
void relay_flow_answered(struct relay_flow *flow);
// Resets the session, if there is one, for what errno says about the socket.
void relay_flow_reset(struct relay_flow *flow, int error);
// An association's time is up: closes it in order, or, when the peer does not answer that, resets it. True when the
// session is gone.
bool relay_flow_idle(struct relay_flow *flow);

// Begins to wait, from now; whatever it waited for before is forgotten.
void relay_flow_wait(struct relay_flow *flow, enum relay_wait wait);
void relay_flow_rest(struct relay_flow *flow);
// The one that has waited there for longest waits no more, if it has for `least` milliseconds: it expires. False when none
// has.
bool relay_flow_hurry(struct relay *relay, enum relay_wait wait, uint32_t least);
// Calls `expired` of everything that is due.
void relay_flows_expire(struct relay *relay, usec_t now);

#endif
