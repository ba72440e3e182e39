// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of dial share: a flow is one session that the peer opened and the socket that serves it. A flow lives
// from dial_flow_add to dial_flow_retire, which is called once, when both its session and its socket are done with;
// its memory goes later, in dial_turn, so no callback frees its caller.
#ifndef EDGE_DIAL_INTERNAL_H
#define EDGE_DIAL_INTERNAL_H

#include "base/list.h"
#include "base/table.h"
#include "edge/dial/dial.h"
#include "edge/train.h"

enum {
    DATAGRAM_ROOM = 65536,            // more than any raw packet holds
    DATAGRAM_BUDGET = 64,             // messages read from one socket before others have their turn
    DATAGRAM_BUDGET_BYTES = 65536,    // the same: a quarter of what waits in the engine (USHER_DATAGRAM_QUEUE)
    PENDING_LOOKUPS_MAX = 64,         // names being resolved at once; each holds a socket of the resolver
    DRAIN_TIMEOUT_MS = 5 * 60 * 1000, // a far end that takes nothing for so long has lost what was left for it
    ECHO_IDLE_MS = 30 * 1000,         // a ping session without a request
};

// What a flow can wait for. All flows that wait for the same thing wait equally long, so each list is in order of time
// by itself and nothing is ever searched. The first list is of those that wait for nothing.
enum dial_wait { WAIT_NOTHING, WAIT_CONNECT, WAIT_DRAIN, WAIT_UDP, WAIT_UDP_DNS, WAIT_ECHO, WAITS };

struct dial_flow;
struct dial_queue;
struct race;

struct dial_kind {
    const struct usher_session_ops *ops;
    // Judged addresses, at least one, to connect to in this order, at flow->outside.port.
    void (*reach)(struct dial_flow *flow, const struct address *addrs, size_t count);
    // What the flow waited for has not come in time.
    void (*expired)(struct dial_flow *flow);
    // Closes the socket hard and retires the flow. Its session is gone.
    void (*abandon)(struct dial_flow *flow);
    // The end of an association inside the peer's network; NULL for TCP, where only the peer knows.
    const struct endpoint *(*inside)(const struct dial_flow *flow);
};

// 10,000 of these are held at once: what is needed one after the other shares its place.
struct dial_flow {
    struct list link; // in one of dial->waits, later in dial->retired
    struct dial *dial;
    const struct dial_kind *kind;
    struct usher_session *session; // NULL: over
    union {
        struct dial_lookup *lookup; // while `resolving`
        struct race *race;          // of TCP, while it is `racing`
        struct dial_queue *queue;   // of TCP, else: bytes that wait for the socket; NULL when there are none
    };
    uint32_t due;            // of its wait: milliseconds, compared as differences
    uint32_t since;          // when it was opened: seconds
    struct endpoint outside; // what it goes to; for pings the port is the peer's echo identifier
    uint8_t protocol;
    bool connecting : 1; // not answered yet
    bool resolving : 1;  // a name is being looked up
    bool by_name : 1;    // opened by HOSTNAME: one fixed far end (doc/PROTOCOL.md section 8)
    bool closing : 1;    // an association that was idle; waits for `ended`
};

// A raw ICMP socket, shared by all pings of its IP version.
struct dial_pinger {
    struct poller_watch watch; // fd: borrowed; -1: none
    struct dial *dial;
};

struct dial {
    struct edge edge; // first
    uv_loop_t *loop;
    struct dial_config config;
    uint32_t count;      // of flows in `waits`
    uint32_t connecting; // of them, not answered yet
    uint32_t lookups;
    struct list retired;   // flows to be freed
    struct list unflushed; // queues (queue.h) with bytes gathered in this turn
    struct list spare;     // empty queues
    uint32_t spare_count;
    struct {
        struct list flows;
        uint32_t ms;
    } waits[WAITS];
    uv_timer_t alarm; // wakes the loop for the first of `waits`
    uint32_t alarm_due;
    struct dial_pinger pinger4, pinger6;
    struct table pings; // by our echo identifier
    uint16_t next_echo;
    struct dial_counters counters;
    struct udp_inbox *inbox;     // what UDP sockets brought last
    struct train train;          // datagrams for one of them, until the end of the turn
    uint8_t room[DATAGRAM_ROOM]; // what was read last from a pinger
};

// A new flow of `size` bytes that begins with a struct dial_flow; attached to `session`.
struct dial_flow *dial_flow_add(struct dial *dial, size_t size, const struct dial_kind *kind,
                                struct usher_session *session, const struct usher_open *open);
// Out of every list and count; the next turn frees it.
void dial_flow_retire(struct dial_flow *flow);
// The far end is reached: accepts the session.
void dial_flow_accept(struct dial_flow *flow);
// Refuses the session; the caller closes and retires.
void dial_flow_refuse(struct dial_flow *flow, enum usher_word word, const char *text);
// The same for what errno says about connecting to flow->outside.
void dial_flow_refuse_errno(struct dial_flow *flow, int error);
// Resets the session, if it is not over, for what errno says about flow->outside.
void dial_flow_reset_errno(struct dial_flow *flow, int error);
// An association's time is up: closes it in order, or, when the peer does not answer that, resets it. True when the
// session is gone.
bool dial_flow_idle(struct dial_flow *flow);

// Begins to wait, from now; whatever it waited for before is forgotten.
void dial_flow_wait(struct dial_flow *flow, enum dial_wait wait);
void dial_flow_wait_stop(struct dial_flow *flow);
void dial_waits_init(struct dial *dial);
// Calls `expired` of everything that is due.
void dial_waits_run(struct dial *dial, usec_t now);

// Resolves where that is needed, judges, and calls reach or refuses. The flow may be retired when this returns.
void dial_flow_open(struct dial_flow *flow, const struct usher_open *open);
void dial_lookup_cancel(struct dial_flow *flow);

struct dial_flow *dial_tcp_new(struct dial *dial, struct usher_session *session, const struct usher_open *open);
struct dial_flow *dial_udp_new(struct dial *dial, struct usher_session *session, const struct usher_open *open);
struct dial_flow *dial_icmp_new(struct dial *dial, struct usher_session *session, const struct usher_open *open);
// Writes what flows gathered in this turn.
void dial_tcp_flush(struct dial *dial);
void dial_udp_flush(struct dial *dial);
void dial_pinger_start(struct dial *dial, struct dial_pinger *pinger, int fd);
void dial_pinger_stop(struct dial_pinger *pinger);

#endif
