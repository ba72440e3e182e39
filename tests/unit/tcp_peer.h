// SPDX-License-Identifier: GPL-2.0-or-later
// A bench for the stack: what it emits is caught and checked, what it reports is noted, and `struct tcp_peer` is a
// small TCP client that writes every packet by hand. Also for the fuzzer.
#ifndef TESTS_TCP_PEER_H
#define TESTS_TCP_PEER_H

#include "base/checksum.h"
#include "packet/craft.h"
#include "stack/stack.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

enum {
    CAUGHT_MAX = 128, // packets; a test takes them before there are more
    PEER_MSS = 1460,
    PEER_SCALE = 7,
};

struct caught {
    struct virtio_net_hdr vnet;
    size_t len;
    uint8_t bytes[PACKET_SIZE];
};

struct bench {
    struct stack *stack;
    struct packet_pool *pool;
    struct chunk_pool *chunks;
    struct hash_key key;
    usec_t now;
    struct caught *caught;
    unsigned count;   // in `caught`
    unsigned emitted; // ever
    bool blocked;     // the device takes nothing
    bool indifferent; // count packets, but keep none
    bool spill;       // keep as many as there is room for
    bool refuse_syn;  // return NULL from `syn`
    struct owner *latest;
};

struct owner {
    struct bench *bench;
    struct stack_flow *flow; // NULL when it has ended
    struct stack_tuple tuple;
    unsigned readable;
    unsigned finished;
    unsigned ended;
    enum stack_ending ending;
    size_t acked;
    bool abort_when_readable;
    bool read_when_readable;
    size_t read;
    bool accepted;  // for those who keep count
    bool finishing; //
    bool based;     //
    uint32_t base;  // sequence number of the client's first byte
};

struct tcp_peer {
    struct bench *bench;
    struct endpoint inside;
    struct endpoint outside;
    uint32_t seq;    // next to send
    uint32_t ack;    // next expected
    uint32_t edge;   // right edge of the stack's window, as last announced
    uint16_t window; // to announce, not scaled
    uint8_t scale;   // of the stack's window
    bool plain;      // a SYN with no option but the MSS
    bool unverified; // packets say nothing of their checksum: the stack must look
    // The last packet taken.
    uint8_t flags;
    uint32_t from;
    uint32_t got_ack;
    const uint8_t *data;
    size_t len;
    struct virtio_net_hdr vnet;
    struct packet_view view;
    // Everything taken in order.
    uint8_t *stream;
    size_t stream_len;
};

static inline void *bench_syn(void *arg, struct stack_flow *flow, const struct stack_tuple *tuple)
{
    struct bench *bench = arg;
    if (bench->refuse_syn)
        return NULL;
    struct owner *owner = calloc(1, sizeof *owner);
    *owner = (struct owner){.bench = bench, .flow = flow, .tuple = *tuple};
    bench->latest = owner;
    return owner;
}

static inline void bench_readable(void *arg)
{
    struct owner *owner = arg;
    owner->readable++;
    if (owner->read_when_readable) {
        static uint8_t room[PACKET_SIZE];
        while (stack_flow_waiting(owner->flow) > 0)
            owner->read += stack_flow_read(owner->flow, room, sizeof room);
    }
    if (owner->abort_when_readable) {
        stack_flow_abort(owner->flow);
        owner->flow = NULL;
    }
}

static inline void bench_finished(void *arg)
{
    ((struct owner *)arg)->finished++;
}

static inline void bench_acked(void *arg, size_t len)
{
    ((struct owner *)arg)->acked += len;
}

static inline void bench_ended(void *arg, enum stack_ending ending)
{
    struct owner *owner = arg;
    owner->ended++;
    owner->ending = ending;
    owner->flow = NULL;
}

static inline bool bench_emit(void *arg, const struct virtio_net_hdr *vnet, const struct iovec *iov, int iovcnt)
{
    struct bench *bench = arg;
    if (bench->blocked)
        return false;
    bench->emitted++;
    if (bench->indifferent || (bench->spill && bench->count == CAUGHT_MAX))
        return true;
    assert(bench->count < CAUGHT_MAX);
    struct caught *caught = &bench->caught[bench->count++];
    caught->vnet = *vnet;
    caught->len = 0;
    for (int i = 0; i < iovcnt; i++) {
        assert(caught->len + iov[i].iov_len <= sizeof caught->bytes);
        memcpy(caught->bytes + caught->len, iov[i].iov_base, iov[i].iov_len);
        caught->len += iov[i].iov_len;
    }
    return true;
}

static inline struct stack_config bench_config(struct bench *bench)
{
    bench->key = (struct hash_key){.k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908};
    return (struct stack_config){
        .mtu = 1500,
        .offload = true,
        .max_flows = 20000,
        .max_held = 20000,
        .max_held_per_source = 20000,
        .receive_budget = 64 << 20,
        .key = &bench->key,
    };
}

static inline void bench_start(struct bench *bench, const struct stack_config *config)
{
    static const struct stack_ops ops = {
        .syn = bench_syn,
        .readable = bench_readable,
        .finished = bench_finished,
        .acked = bench_acked,
        .ended = bench_ended,
        .emit = bench_emit,
    };
    bench->now = 1000 * USEC_PER_SEC;
    bench->pool = packet_pool_new(4);
    bench->chunks = chunk_pool_new(4);
    bench->caught = malloc(CAUGHT_MAX * sizeof *bench->caught);
    bench->stack = stack_new(config, &ops, bench, bench->now);
}

static inline void bench_stop(struct bench *bench)
{
    bench->indifferent = true;
    stack_free(bench->stack);
    packet_pool_free(bench->pool);
    chunk_pool_free(bench->chunks);
    free(bench->caught);
}

static inline void bench_flush(struct bench *bench)
{
    stack_flush(bench->stack, false, bench->now);
}

// Time passes, with every tick that the stack asks for.
static inline void bench_pass(struct bench *bench, usec_t time)
{
    usec_t until = bench->now + time;
    for (usec_t due; (due = stack_deadline(bench->stack)) <= until;) {
        bench->now = due > bench->now ? due : bench->now;
        stack_tick(bench->stack, bench->now);
        bench_flush(bench);
    }
    bench->now = until;
    bench_flush(bench);
}

static inline void bench_write(struct owner *owner, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        struct chunk *chunk = chunk_new(owner->bench->chunks);
        size_t piece = len - at < chunk->size ? len - at : chunk->size;
        memcpy(chunk->bytes, (const uint8_t *)bytes + at, piece);
        struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)piece};
        stack_flow_write(owner->flow, &slice);
        chunk_drop(chunk);
        at += piece;
    }
}

static inline void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static inline uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static inline void peer_init(struct tcp_peer *peer, struct bench *bench, bool v6, uint16_t port)
{
    *peer = (struct tcp_peer){.bench = bench, .seq = 0x10000000u + port, .window = 0xffff};
    bool ok = endpoint_parse(&peer->inside, v6 ? "[fd00::2]:1" : "10.0.0.2:1") &&
              endpoint_parse(&peer->outside, v6 ? "[fd73::7]:443" : "10.73.0.7:443");
    assert(ok);
    (void)ok;
    peer->inside.port = port;
}

static inline void peer_free(struct tcp_peer *peer)
{
    free(peer->stream);
}

// An IP header; returns its length.
static inline size_t peer_write_ip(const struct tcp_peer *peer, uint8_t *ip, size_t upper)
{
    const struct address *src = &peer->inside.addr, *dst = &peer->outside.addr;
    bool v4 = src->version == 4;
    memset(ip, 0, 40);
    ip[0] = v4 ? 0x45 : 0x60;
    put16(ip + (v4 ? 2 : 4), (uint32_t)(v4 ? 20 + upper : upper));
    ip[v4 ? 8 : 7] = 64;
    ip[v4 ? 9 : 6] = IPPROTO_TCP;
    memcpy(ip + (v4 ? 12 : 8), src->bytes, v4 ? 4 : 16);
    memcpy(ip + (v4 ? 16 : 24), dst->bytes, v4 ? 4 : 16);
    return v4 ? 20 : 40;
}

static inline void bench_input(struct bench *bench, struct packet *packet)
{
    struct packet_view view;
    if (packet_parse(&view, packet->bytes, packet->len))
        stack_input(bench->stack, packet, &view, bench->now);
    else
        packet_drop(packet);
}

// Any segment, with any options.
static inline void peer_send_at(struct tcp_peer *peer, uint8_t flags, uint32_t seq, const void *data, size_t len,
                                const uint8_t *options, size_t options_len)
{
    struct packet *packet = packet_new(peer->bench->pool);
    size_t ip = peer_write_ip(peer, packet->bytes, 20 + options_len + len);
    uint8_t *tcp = packet->bytes + ip;
    memset(tcp, 0, 20);
    put16(tcp, peer->inside.port);
    put16(tcp + 2, peer->outside.port);
    put32(tcp + 4, seq);
    put32(tcp + 8, (flags & ACK) != 0 ? peer->ack : 0);
    tcp[12] = (uint8_t)((20 + options_len) / 4 << 4);
    tcp[13] = flags;
    put16(tcp + 14, peer->window);
    if (options_len > 0)
        memcpy(tcp + 20, options, options_len);
    if (len > 0)
        memcpy(tcp + 20 + options_len, data, len);
    packet->len = (uint32_t)(ip + 20 + options_len + len);
    if (peer->unverified) {
        uint64_t sum =
            checksum_pseudo(&peer->inside.addr, &peer->outside.addr, IPPROTO_TCP, (uint32_t)(20 + options_len + len));
        uint16_t check = checksum_fold(checksum_add(sum, tcp, 20 + options_len + len));
        memcpy(tcp + 16, &check, sizeof check);
    } else {
        packet->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    }
    bench_input(peer->bench, packet);
}

static inline void peer_send(struct tcp_peer *peer, uint8_t flags, const void *data, size_t len)
{
    peer_send_at(peer, flags, peer->seq, data, len, NULL, 0);
    peer->seq += (uint32_t)len + ((flags & (SYN | FIN)) != 0);
}

static inline void peer_syn(struct tcp_peer *peer)
{
    static const uint8_t options[12] = {2, 4, PEER_MSS >> 8, PEER_MSS & 0xff, 1, 3, 3, PEER_SCALE, 1, 1, 4, 2};
    peer_send_at(peer, SYN, peer->seq, NULL, 0, options, peer->plain ? 4 : sizeof options);
    peer->seq++;
}

// The ones-complement sum of a packet's TCP part and pseudo-header is all ones (RFC 1071), or with partial checksums
// the field holds the pseudo-header's sum.
static inline bool peer_checksum_is_right(const struct tcp_peer *peer)
{
    const struct packet_view *view = &peer->view;
    uint64_t pseudo = checksum_pseudo(&view->src, &view->dst, IPPROTO_TCP, view->upper_len);
    if ((peer->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
        return checksum_fold(checksum_add(pseudo, view->upper, view->upper_len)) == 0;
    uint16_t partial = (uint16_t)~checksum_fold(pseudo);
    return memcmp(view->upper + 16, &partial, 2) == 0 && peer->vnet.csum_start == view->header_len &&
           peer->vnet.csum_offset == 16;
}

static inline void peer_keep(struct tcp_peer *peer)
{
    if (peer->len == 0)
        return;
    peer->stream = realloc(peer->stream, peer->stream_len + peer->len);
    memcpy(peer->stream + peer->stream_len, peer->data, peer->len);
    peer->stream_len += peer->len;
}

// Takes the oldest packet of the bench, which must be TCP for this peer and right in every checksum. False: none.
static inline bool peer_take(struct tcp_peer *peer)
{
    struct bench *bench = peer->bench;
    if (bench->count == 0)
        return false;
    static struct caught caught;
    caught = bench->caught[0];
    memmove(bench->caught, bench->caught + 1, --bench->count * sizeof *bench->caught);
    bool whole = packet_parse(&peer->view, caught.bytes, caught.len) && peer->view.protocol == IPPROTO_TCP;
    assert(whole &&
           endpoint_equal(&peer->inside, &(struct endpoint){peer->view.dst, (uint16_t)get16(peer->view.upper + 2)}));
    (void)whole;
    const uint8_t *tcp = peer->view.upper;
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    peer->vnet = caught.vnet;
    peer->flags = tcp[13];
    peer->from = get32(tcp + 4);
    peer->got_ack = get32(tcp + 8);
    peer->data = tcp + header;
    peer->len = peer->view.upper_len - header;
    peer->edge = peer->got_ack + (get16(tcp + 14) << ((peer->flags & SYN) != 0 ? 0 : peer->scale));
    assert(peer_checksum_is_right(peer));
    if ((peer->flags & SYN) != 0) {
        peer->ack = peer->from + 1;
        peer->scale = peer->plain ? 0 : PEER_SCALE; // lwIP's own is the same
    } else if (peer->from == peer->ack) {
        peer_keep(peer);
        peer->ack += (uint32_t)peer->len + (peer->flags & FIN);
    }
    return true;
}

// Takes all packets; returns how many.
static inline unsigned peer_take_all(struct tcp_peer *peer)
{
    unsigned taken = 0;
    while (peer_take(peer))
        taken++;
    return taken;
}

// The whole handshake; returns the flow's owner.
static inline struct owner *peer_connect(struct tcp_peer *peer)
{
    peer_syn(peer);
    struct owner *owner = peer->bench->latest;
    stack_flow_accept(owner->flow);
    bench_flush(peer->bench);
    bool answered = peer_take(peer);
    assert(answered && peer->flags == (SYN | ACK) && peer->got_ack == peer->seq);
    (void)answered;
    peer_send(peer, ACK, NULL, 0);
    bench_flush(peer->bench);
    return owner;
}

#endif
