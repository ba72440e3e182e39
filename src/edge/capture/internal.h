// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of capture share, and nobody else includes. Each calls only those further down:
//
//     capture.c        life, turn, listing
//     device.c         packets in
//     tcp.c            datagram.c       flows of the stack; UDP and pings from inside
//                      association.c    what UDP and pings have in common
//                      association_table.c  quotes.c  early.c  answer.c
//     reason.c  emit.c                  packets out
//     too_big.c                         how large these may be
//
// Freeing. A flow that is done goes to `dead` and is freed at the end of the turn, so that no callback frees its caller.
// Time. Flows wait on the timelines, from capture_moment on.
#ifndef EDGE_CAPTURE_INTERNAL_H
#define EDGE_CAPTURE_INTERNAL_H

#include "base/hash.h"
#include "base/table.h"
#include "edge/capture/config.h"
#include "edge/capture/fragments.h"
#include "edge/edge.h"
#include "edge/relay/batch.h"
#include "os/alarm.h"
#include "os/tun/tun.h"
#include "packet/craft.h"
#include "packet/packet.h"
#include "stack/stack.h"

#include <uv.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 // Linux 6.2
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { NO_ERROR = -1 }; // beside enum craft_error: say nothing

enum capture_timelines {
    LINE_TCP_CLOSING, // session over, the application's half still open
    LINE_UDP,         // something has come back
    LINE_ASKED,       // nothing has
    LINE_DNS,         // a far port 53 has answered
    LINE_ECHO,
    LINE_FAILED,  // remembered failures
    LINE_CLOSING, // UsherClose sent or to be sent, not answered yet
    LINES
};

// What both kinds of flow begin with: how their openings are told apart. 10,000 of these are held at once: what only TCP
// needs stands where there is room.
struct capture_flow {
    struct opening opening; // first; `own` of its time: when the flow began, seconds
    struct capture *capture;
    uint8_t protocol; // IP protocol number
    // Of TCP (tcp.c).
    bool accepted : 1;        // the SYN is answered
    bool app_finished : 1;    // the application's FIN came
    bool nobody_takes : 1;    // the application's bytes: they are read and forgotten
    bool finished_to_app : 1; // nothing more will come for the application
};

struct capture {
    struct edge edge; // first
    struct capture_config config;
    uv_loop_t *loop;
    const struct tun *tun;
    struct stack *stack;
    struct packet_pool *packets;
    struct packet *spare; // a buffer for the next packet, or NULL
    struct fragments *fragments;
    struct path_mtus *paths;
    struct hash_key stack_key;
    struct hash_key key;
    struct capture_counters counters;
    usec_t now; // of the latest turn or reading

    struct timeline lines[LINES];
    struct list tcp_open; // flows that wait for nothing
    struct list tcp_dead;
    uint32_t tcp_count;
    struct table associations;
    uint32_t association_count;   // those outside the table too
    uint32_t associations_ending; // of them, those outside the table
    struct list association_dead;
    size_t early_bytes;           // of datagrams that wait for their association
    uint32_t fragment_number;     // of the next IPv6 datagram that we cut
    struct datagram_batch *batch; // UDP for one application, until the end of the turn
    bool batches_refused;         // by this kernel

    uv_poll_t poll;
    struct alarm alarm;
    int watched;          // what `poll` waits for
    bool writable_wanted; // the device would not take a packet
    bool device_gone;
};

static inline usec_t capture_age(const struct capture_flow *flow, usec_t now)
{
    return ((uint32_t)(now / USEC_PER_SEC) - flow->opening.timed.own) * (usec_t)USEC_PER_SEC;
}

// Milliseconds, for timelines. Within a turn and while packets are read `now` is right; for what the tunnel tells, the loop's
// own time is.
static inline uint32_t capture_moment(const struct capture *capture)
{
    uint64_t now = capture->now / USEC_PER_MSEC, woken = uv_now(capture->loop);
    return (uint32_t)(woken > now ? woken : now);
}

// device.c
// At the start, and at the end of each turn: waits for what emit.c could not get rid of, too.
void capture_device_watch(struct capture *capture);

// too_big.c
// What an ICMP packet with a right checksum says of one of ours that a link could not take; false: nothing that we heed.
bool capture_too_big(struct capture *capture, const struct packet_view *view);
// The largest packet that is known to reach `to` whole.
uint32_t capture_path_mtu(const struct capture *capture, const struct address *to);

// datagram.c
// Everything but TCP; whole, if it came in fragments.
void capture_datagram_take(struct capture *capture, const struct packet_view *view, const struct virtio_net_hdr *vnet);

// reason.c
// What an application is to see of an open that failed, or of a session that was reset: an enum craft_error, or
// NO_ERROR.
int capture_open_error(enum usher_word word, const char *text);

// emit.c
// One packet to the device. False when it would not take it now.
bool capture_emit(struct capture *capture, const struct virtio_net_hdr *vnet, const struct iovec *iov, int iovcnt);
// Headers from craft.h and a payload, as one packet.
void capture_emit_crafted(struct capture *capture, const struct virtio_net_hdr *vnet, const uint8_t *head,
                          size_t head_len, const uint8_t *payload, size_t len);
// The same for a batch, which goes whole or, when this is false, not at all: the kernel does not take such packets.
bool capture_emit_batch(struct capture *capture, const struct virtio_net_hdr *vnet, const uint8_t *head,
                        size_t head_len, const uint8_t *payload, size_t len);
// Like capture_emit_crafted, IPv6 without extension headers and with a full checksum, cut into fragments (RFC 8200
// section 4.5).
void capture_emit_cut(struct capture *capture, const uint8_t *head, size_t head_len, const uint8_t *payload,
                      size_t len);
// Whether a packet of `len` bytes must be cut. IPv4 never: a local application takes it whole, and for others the
// kernel cuts it as it forwards.
bool capture_must_cut(const struct capture *capture, const struct address *to, size_t len);
// `error` is an enum craft_error, or NO_ERROR for none; without an offender to quote there is none either.
void capture_emit_error(struct capture *capture, int error, const uint8_t *offender, size_t len);

// tcp.c
extern const struct stack_ops capture_stack_ops;
void capture_tcp_want(const struct opening *opening, struct want *out);
void capture_tcp_placed(struct opening *opening);
void capture_tcp_refused(struct opening *opening, enum usher_word word, const char *text);
void capture_tcp_expire(struct capture *capture, uint32_t moment);
void capture_tcp_reclaim(struct capture *capture);
void capture_tcp_free_all(struct capture *capture);
void capture_tcp_withdraw(struct capture *capture, capture_covers *covers, void *owner);
void capture_tcp_each(struct capture *capture, flow_visit *visit, void *arg, usec_t now);

enum { QUOTE_SIZE = 72 }; // IPv4 header with options, 60 bytes, and 8 of the upper layer; IPv6 needs 48

enum { QUOTES_MAX = 64 }; // as many far ends as the other side lets answer at a time (edge/relay/remotes.h)

// The heads of the latest packets from inside, one for each far end, for ICMP errors to quote (quotes.c).
struct quote {
    struct endpoint outside;
    uint8_t len;
    uint8_t bytes[QUOTE_SIZE];
};

struct quotes {
    struct quote *list;
    uint8_t count, size;
    uint8_t latest;
    uint8_t oldest; // goes when all have been used
};

enum association_state {
    ASSOCIATION_PENDING, // its opening is held or not answered yet
    ASSOCIATION_OPEN,
    ASSOCIATION_LEFT,    // no longer in the table; was pending, is closed once that is answered
    ASSOCIATION_CLOSING, // no longer in the table
    ASSOCIATION_FAILED,  // remembered for a moment, without a session
};

struct association {
    struct capture_flow flow; // first
    struct table_node by_key;
    struct list early; // datagrams that wait for the positive reply (early.c)
    uint32_t early_count;
    uint32_t early_bytes;
    struct endpoint inside;  // for echo the port is the identifier
    struct endpoint outside; // where it was opened to
    uint64_t bytes_out;
    uint64_t bytes_in;
    bool fixed;    // serves `outside` alone
    bool answered; // something has come back
    uint8_t state;
    int8_t error; // of a failed one
    struct quotes quotes;
};

// A datagram from inside on its way into a session.
struct outgoing {
    uint8_t protocol;
    struct endpoint inside;
    struct endpoint outside; // for echo the port is the sequence number
    const uint8_t *quote;    // the head of its packet
    size_t quote_len;        // at most QUOTE_SIZE; 0: errors cannot quote it
    const uint8_t *bytes;
    size_t len;
};

static inline bool association_is_echo(uint8_t protocol)
{
    return protocol != USHER_UDP;
}

// association_table.c
uint64_t association_hash(const struct capture *capture, const struct outgoing *out);
// One that may carry `out`, whose association_hash is given; NULL when there is none.
struct association *association_find(const struct capture *capture, const struct outgoing *out, uint64_t hash);
struct association *association_add(struct capture *capture, const struct outgoing *out, uint64_t hash);
// Whether the association was opened to that far end.
bool association_serves(const struct association *association, const struct endpoint *outside);

// association.c
void capture_association_send(struct capture *capture, const struct outgoing *out);
void capture_association_want(const struct opening *opening, struct want *out);
void capture_association_placed(struct opening *opening);
void capture_association_refused(struct opening *opening, enum usher_word word, const char *text);
void capture_association_expire(struct capture *capture, uint32_t moment);
void capture_association_reclaim(struct capture *capture);
void capture_association_free_all(struct capture *capture);
void capture_association_each(struct capture *capture, flow_visit *visit, void *arg, usec_t now);

// quotes.c
// For the far end; NULL when it has been too long ago.
struct quote *quotes_find(struct quotes *quotes, const struct endpoint *outside);
const struct quote *quotes_latest(const struct quotes *quotes);
// `fixed`: there is one far end, whatever the port says.
void quotes_keep(struct quotes *quotes, bool fixed, const struct outgoing *out);
void quotes_fini(struct quotes *quotes);

// early.c
struct early {
    struct list node;
    struct endpoint outside;
    uint32_t quote_len;
    uint32_t len;
    uint8_t bytes[]; // the head of its packet, for quoting; then the payload
};

void early_keep(struct association *association, const struct outgoing *out); // or drops it, and counts
struct early *early_first(const struct association *association);
struct early *early_next(const struct association *association, const struct early *early);
void early_free(struct association *association, struct early *early);
void early_refuse(struct association *association, struct early *early, int error); // answers it, and frees
void early_clear(struct association *association);

// answer.c
// True for one from port 53. It may wait for others, until the end of the turn.
bool answer_udp(struct association *association, const struct usher_datagram *datagram);
void answer_echo(struct association *association, const struct usher_datagram *datagram);
// Writes what waits.
void answer_flush(struct capture *capture);

#endif
