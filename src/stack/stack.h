// SPDX-License-Identifier: GPL-2.0-or-later
// TCP of captured flows, terminated right here: lwIP behind a narrow face. A flow begins with a held SYN: nothing is
// answered before the owner says how the far side answered. One stack per process (lwIP has file-scope state).
//
// Ownership. A flow lives from `syn` until the first of: the owner's stack_flow_refuse or stack_flow_abort; the return
// of `ended`. After that the pointer is dead for the owner. Callbacks may call any function of this header; what the
// stack frees, it frees in stack_flush.
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include "base/address.h"
#include "base/chunk.h"
#include "base/clock.h"
#include "base/facts.h"
#include "base/hash.h"
#include "packet/packet.h"
#include "packet/path_mtu.h"
#include "packet/too_big.h"
#include "packet/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct stack;
struct stack_flow;

struct stack_tuple {
    struct endpoint inside;  // the application behind the portal
    struct endpoint outside; // where it wants to go
};

enum stack_refusal {
    STACK_REFUSE_RST,        // ECONNREFUSED
    STACK_REFUSE_NO_HOST,    // ICMP host unreachable: EHOSTUNREACH
    STACK_REFUSE_NO_NET,     // ICMP net unreachable / no route: ENETUNREACH
    STACK_REFUSE_PROHIBITED, // ICMP administratively prohibited: EHOSTUNREACH (v4), EACCES (v6)
    STACK_REFUSE_SILENT,     // nothing: the application's own timeout
};

enum stack_ending {
    STACK_ENDED_CLOSED,  // both halves closed, everything we wrote was acknowledged, everything received was read
    STACK_ENDED_RESET,   // the application reset it, or vanished: unread bytes are lost
    STACK_ENDED_EVICTED, // we reset it: its bytes stood still, and others had no room any more
};

struct stack_ops {
    // A new SYN is held. Return the owner of the flow, which later calls get; NULL drops the SYN without an answer. The
    // flow may be accepted or refused in here already.
    void *(*syn)(void *owner, struct stack_flow *flow, const struct stack_tuple *tuple);
    // Bytes wait: take them with stack_flow_read. Not repeated until the flow has been read empty.
    void (*readable)(void *flow_owner);
    // The application's FIN arrived; bytes may still wait to be read.
    void (*finished)(void *flow_owner);
    // `len` of the bytes given to stack_flow_write were acknowledged by the application's kernel.
    void (*acked)(void *flow_owner, size_t len);
    void (*ended)(void *flow_owner, enum stack_ending ending);
    // Writes one packet to the TUN device. False when the device would not take it now: it is retried.
    bool (*emit)(void *owner, const struct virtio_net_hdr *vnet, const struct iovec *iov, int iovcnt);
};

struct stack_config {
    uint32_t mtu;       // of the TUN device: bounds the segments of both ends
    bool offload;       // the device takes IFF_VNET_HDR packets with TSO and partial checksums
    uint32_t max_flows; // held SYNs included; above it SYNs are dropped and counted
    uint32_t max_held;  // held SYNs at once
    uint32_t max_held_per_source;
    uint64_t receive_budget; // bytes received and not yet read that all flows together may hold
    struct path_mtus *paths; // behind the device; borrowed, NULL: all take what it takes
    struct hash_key *key;    // 16 random bytes: demultiplexing table and initial sequence numbers (RFC 6528)
};

#define STACK_COUNTERS(X)                                                                                              \
    X(packets_in, "TCP packets taken from the device")                                                                 \
    X(packets_out, "TCP packets and ICMP errors given to the device")                                                  \
    X(malformed, "packets dropped: headers that contradict themselves")                                                \
    X(bad_checksum, "packets dropped: wrong TCP checksum")                                                             \
    X(shielded, "segments dropped or stripped to keep lwIP safe")                                                      \
    X(syns_held, "SYNs held")                                                                                          \
    X(syns_dropped, "SYNs dropped at a limit")                                                                         \
    X(strays_reset, "segments without a flow, answered with RST")                                                      \
    X(shortened, "flows whose segments were made smaller for a link behind the device")                                \
    X(over_budget, "segments whose data were dropped: the receive budget is used up")

struct stack_counters {
#define STACK_COUNTER_FIELD(name, help) uint64_t name;
    STACK_COUNTERS(STACK_COUNTER_FIELD)
#undef STACK_COUNTER_FIELD
};

struct stack *stack_new(const struct stack_config *config, const struct stack_ops *ops, void *owner, usec_t now);
// Aborts every flow without `ended` and frees everything.
void stack_free(struct stack *stack);

// Takes a TCP packet; consumes `packet` always.
void stack_input(struct stack *stack, struct packet *packet, const struct packet_view *view, usec_t now);
// A router says that a segment of ours is too big: if it is on its way, it and what followed go again in smaller ones, and
// later flows to that address begin with these. False when there is no such segment.
bool stack_too_big(struct stack *stack, const struct too_big *said, usec_t now);
// End of the loop's turn, after the tunnel has pulled: answers to held SYNs, acknowledgements, window updates and output
// of every flow that was touched, one packet each where possible; frees what has ended. `link_blocked` holds back bare
// acknowledgements of flows whose bytes still wait to be read, for 40 ms at most.
void stack_flush(struct stack *stack, bool link_blocked, usec_t now);
// When to call stack_tick next, with a stack_flush behind it: hours away while all flows rest.
usec_t stack_deadline(const struct stack *stack);
void stack_tick(struct stack *stack, usec_t now);

// The flow's ends, which nobody else has to keep. False when it is about to end: nothing is left of it.
bool stack_flow_tuple(const struct stack_flow *flow, struct stack_tuple *out);

// Answers a held SYN.
void stack_flow_accept(struct stack_flow *flow);
void stack_flow_refuse(struct stack_flow *flow, enum stack_refusal refusal);

// Copies up to `size` waiting bytes into `room` and returns how many. Opens the window again with the next flush.
size_t stack_flow_read(struct stack_flow *flow, uint8_t *room, size_t size);
size_t stack_flow_waiting(const struct stack_flow *flow);
// Queues bytes for the application, always; the session's credit bounds them. Keeps the slice (base/chunk.h).
void stack_flow_write(struct stack_flow *flow, const struct slice *slice);
// FIN once everything queued is sent; the other half stays open.
void stack_flow_finish(struct stack_flow *flow);
// RST now; everything queued is dropped.
void stack_flow_abort(struct stack_flow *flow);

const struct stack_counters *stack_counters(const struct stack *stack);
void stack_describe(const struct stack *stack, struct facts *facts);
uint32_t stack_flows(const struct stack *stack);

#endif
