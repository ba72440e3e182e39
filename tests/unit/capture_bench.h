// SPDX-License-Identifier: GPL-2.0-or-later
// A bench for capture: a socket pair in place of the TUN device, so that the test is the application's kernel, and two
// real engines in memory, of which the test scripts the gate's side.
#ifndef TESTS_CAPTURE_BENCH_H
#define TESTS_CAPTURE_BENCH_H

#include "base/checksum.h"
#include "edge/capture/capture.h"
#include "edge/capture/fragments.h"
#include "exchange/exchange.h"
#include "os/clock.h"
#include "packet/packet.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BENCH_MTU = 1500,
    BENCH_ROOM = 70000,
    BENCH_SESSIONS = 64,
    BENCH_BYTES = 1 << 20,
    HOLD_MS = 5000,
    UDP_IDLE_MS = 120000,
    DNS_IDLE_MS = 10000,
};

// What the gate's side saw of a session, and does to it.
struct gate_session {
    struct bench *bench;
    struct usher_session *session; // NULL: over
    struct usher_open open;
    enum usher_ending ending;
    enum usher_word word;
    bool finished;
    uint8_t *bytes; // of data, or of the latest datagram
    size_t len;
    size_t owed; // bytes whose credit was not given back
    unsigned datagrams;
    struct usher_datagram latest;
    const uint8_t *out; // to send
    size_t out_len;
};

struct bench {
    uv_loop_t loop;
    int app; // the kernel's end
    struct tun tun;
    struct exchange *exchange;
    struct capture *capture; // the exchange's
    struct chunk_pool *chunks;
    struct usher_engine *portal; // NULL: no tunnel
    struct usher_engine *gate;
    struct gate_session sessions[BENCH_SESSIONS];
    unsigned opened;
    unsigned wakes;
    bool stalled;                           // give no credit back
    bool hold;                              // leave opens unanswered
    enum usher_word word;                   // refuse with this
    const char *text;                       // ... and this; NULL: accept
    _Alignas(8) uint8_t packet[BENCH_ROOM]; // the latest from the device
    struct packet_view view;
    struct virtio_net_hdr vnet;
    struct fragments *fragments; // of the kernel
    uint64_t fragments_lost;
};

static inline size_t gate_fill(void *owner, uint8_t *room, size_t size)
{
    struct gate_session *gate = owner;
    size_t len = gate->out_len < size ? gate->out_len : size;
    if (len > 0)
        memcpy(room, gate->out, len);
    gate->out += len;
    gate->out_len -= len;
    return len;
}

static inline void gate_data(void *owner, const struct slice *slice)
{
    struct gate_session *gate = owner;
    assert_true(gate->len + slice->len <= BENCH_BYTES);
    memcpy(gate->bytes + gate->len, slice->bytes, slice->len);
    gate->len += slice->len;
    if (gate->bench->stalled)
        gate->owed += slice->len;
    else
        usher_session_consumed(gate->session, slice->len);
}

static inline void gate_datagram(void *owner, const struct usher_datagram *datagram)
{
    struct gate_session *gate = owner;
    gate->datagrams++;
    gate->latest = *datagram;
    gate->len = datagram->len;
    memcpy(gate->bytes, datagram->bytes, datagram->len);
    gate->latest.bytes = gate->bytes;
}

static inline void gate_finished(void *owner)
{
    ((struct gate_session *)owner)->finished = true;
}

static inline void gate_stop_sending(void *owner)
{
    (void)owner;
}

static inline void gate_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct gate_session *gate = owner;
    (void)text;
    gate->session = NULL;
    gate->ending = ending;
    gate->word = word;
}

static const struct usher_session_ops gate_ops = {
    .fill = gate_fill,
    .data = gate_data,
    .datagram = gate_datagram,
    .finished = gate_finished,
    .stop_sending = gate_stop_sending,
    .ended = gate_ended,
};

static inline void gate_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct bench *bench = owner;
    assert_true(bench->opened < BENCH_SESSIONS);
    struct gate_session *gate = &bench->sessions[bench->opened++];
    gate->bench = bench;
    gate->session = session;
    gate->open = *open;
    gate->bytes = malloc(BENCH_BYTES);
    usher_session_attach(session, &gate_ops, gate);
    if (bench->hold)
        return;
    if (bench->text) {
        usher_session_refuse(session, bench->word, bench->text);
        gate->session = NULL;
    } else {
        usher_session_accept(session);
    }
}

static inline void bench_wake(void *owner)
{
    ((struct bench *)owner)->wakes++;
}

static inline struct usher_engine *bench_engine(struct bench *bench, bool server)
{
    static const struct usher_engine_ops ops = {.opened = gate_opened, .wake = bench_wake};
    const struct usher_engine_config config = {
        .server = server,
        .extended = true,
        .max_sessions = BENCH_SESSIONS,
        .max_unanswered = BENCH_SESSIONS,
        .window_max = USHER_WINDOW_START,
    };
    struct usher_engine *engine = usher_engine_new(&config, &ops, bench, clock_now());
    assert_non_null(engine);
    return engine;
}

static inline void bench_connect(struct bench *bench)
{
    bench->portal = bench_engine(bench, false);
    bench->gate = bench_engine(bench, true);
    exchange_attach(bench->exchange, bench->portal);
}

static inline void bench_disconnect(struct bench *bench)
{
    if (!bench->portal)
        return;
    usher_engine_free(bench->portal);
    exchange_detach(bench->exchange);
    usher_engine_free(bench->gate);
    bench->portal = bench->gate = NULL;
}

static inline size_t bench_carry(struct bench *bench, struct usher_engine *from, struct usher_engine *to)
{
    static uint8_t room[256 * 1024];
    size_t len = usher_engine_pull(from, room, sizeof room, clock_now());
    for (size_t at = 0; at < len;) {
        struct chunk *chunk = chunk_new(bench->chunks);
        uint32_t part = len - at < CHUNK_SIZE ? (uint32_t)(len - at) : CHUNK_SIZE;
        memcpy(chunk->bytes, room + at, part);
        struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = part};
        assert_int_equal(usher_engine_feed(to, &slice, clock_now()), USHER_RUNNING);
        chunk_drop(chunk);
        at += part;
    }
    return len;
}

// Turns until nothing moves any more.
static inline void bench_run(struct bench *bench)
{
    size_t moved = 1;
    for (int quiet = 0; quiet < 3;) {
        uint64_t before = capture_counters(bench->capture)->packets_in + capture_counters(bench->capture)->packets_out;
        uv_run(&bench->loop, UV_RUN_NOWAIT);
        moved = 0;
        if (bench->portal) {
            moved += bench_carry(bench, bench->portal, bench->gate);
            moved += bench_carry(bench, bench->gate, bench->portal);
        }
        exchange_after_pull(bench->exchange, false, clock_now());
        uint64_t after = capture_counters(bench->capture)->packets_in + capture_counters(bench->capture)->packets_out;
        quiet = moved == 0 && after == before ? quiet + 1 : 0;
    }
}

// A turn as if it were `ms` later.
static inline void bench_later(struct bench *bench, uint64_t ms)
{
    exchange_after_pull(bench->exchange, false, clock_now() + ms * USEC_PER_MSEC);
}

static inline struct bench *bench_new(bool offload, uint32_t max_flows, uint32_t hold_ms)
{
    struct bench *bench = calloc(1, sizeof *bench);
    int pair[2];
    int size = 4 << 20;
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    bench->app = pair[0];
    bench->tun = (struct tun){.fd = pair[1], .offload = offload, .name = "bench"};
    bench->chunks = chunk_pool_new(16);
    static const struct hash_key key;
    bench->fragments = fragments_new(&key, &bench->fragments_lost);
    const struct capture_config config = {
        .mtu = BENCH_MTU,
        .max_flows = max_flows,
        .receive_budget = 64 << 20,
        .udp_idle_ms = UDP_IDLE_MS,
        .udp_dns_idle_ms = DNS_IDLE_MS,
        .udp_offload = true,
    };
    struct fault fault;
    const struct exchange_config exchange = {.hold_ms = hold_ms, .wake = bench_wake, .owner = bench};
    bench->exchange = exchange_new(&bench->loop, &exchange);
    bench->capture = capture_new(&bench->loop, &bench->tun, &config, &fault);
    assert_non_null(bench->capture);
    exchange_add(bench->exchange, capture_edge(bench->capture));
    return bench;
}

static inline void bench_free(struct bench *bench)
{
    bench_disconnect(bench);
    exchange_after_pull(bench->exchange, false, clock_now());
    exchange_free(bench->exchange);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    for (unsigned i = 0; i < bench->opened; i++)
        free(bench->sessions[i].bytes);
    assert_int_equal(chunk_pool_held(bench->chunks), 0);
    chunk_pool_free(bench->chunks);
    fragments_free(bench->fragments);
    close(bench->app);
    close(bench->tun.fd);
    free(bench);
}

// --- the kernel's end ---

static inline void kernel_send(struct bench *bench, const struct virtio_net_hdr *vnet, const void *packet, size_t len)
{
    const struct virtio_net_hdr none = {0};
    struct iovec iov[] = {{(void *)(vnet ? vnet : &none), sizeof none}, {(void *)packet, len}};
    bool offload = bench->tun.offload;
    ssize_t want = (ssize_t)(len + (offload ? sizeof none : 0));
    assert_int_equal(writev(bench->app, offload ? iov : iov + 1, offload ? 2 : 1), want);
}

// The next packet from the device, in `packet` and `view`; false when there is none.
static inline bool kernel_get(struct bench *bench)
{
    struct iovec iov[] = {{&bench->vnet, sizeof bench->vnet}, {bench->packet, BENCH_ROOM}};
    bool offload = bench->tun.offload;
    ssize_t len = readv(bench->app, offload ? iov : iov + 1, offload ? 2 : 1);
    if (len < 0) {
        assert_int_equal(errno, EAGAIN);
        return false;
    }
    len -= offload ? (ssize_t)sizeof bench->vnet : 0;
    assert_true(packet_parse(&bench->view, bench->packet, (size_t)len));
    return true;
}

// The same, but waits until the pieces are one packet again; none may be larger than the MTU.
static inline bool kernel_get_whole(struct bench *bench)
{
    while (kernel_get(bench)) {
        assert_true(bench->view.header_len + bench->view.upper_len <= BENCH_MTU);
        if (!bench->view.fragment)
            return true;
        struct packet_view part = bench->view;
        if (fragments_add(bench->fragments, &part, &bench->view, 0))
            return true;
    }
    return false;
}

static inline struct endpoint at(const char *text)
{
    struct endpoint ep;
    assert_true(endpoint_parse(&ep, text));
    return ep;
}

// Header of IPv4 or IPv6 in front of `len` bytes; its length.
static inline size_t put_ip(uint8_t *out, const struct address *src, const struct address *dst, uint8_t protocol,
                            size_t len)
{
    bool v4 = src->version == 4;
    uint16_t size = htons((uint16_t)(len + (v4 ? 20 : 0)));
    memset(out, 0, v4 ? 20 : 40);
    out[0] = v4 ? 0x45 : 0x60;
    memcpy(out + (v4 ? 2 : 4), &size, 2);
    out[v4 ? 8 : 7] = 64;
    out[v4 ? 9 : 6] = protocol;
    memcpy(out + (v4 ? 12 : 8), src->bytes, v4 ? 4 : 16);
    memcpy(out + (v4 ? 16 : 24), dst->bytes, v4 ? 4 : 16);
    if (v4) {
        uint16_t sum = checksum_fold(checksum_add(0, out, 20));
        memcpy(out + 10, &sum, 2);
    }
    return v4 ? 20 : 40;
}

static inline void put16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static inline void put32(uint8_t *out, uint32_t value)
{
    put16(out, (uint16_t)(value >> 16));
    put16(out + 2, (uint16_t)value);
}

static inline uint16_t take16(const uint8_t *in)
{
    return (uint16_t)(in[0] << 8 | in[1]);
}

static inline uint32_t take32(const uint8_t *in)
{
    return (uint32_t)take16(in) << 16 | take16(in + 2);
}

static inline void put_checksum(uint8_t *upper, size_t offset, const struct address *src, const struct address *dst,
                                uint8_t protocol, size_t len)
{
    uint64_t sum = protocol == IPPROTO_ICMP ? 0 : checksum_pseudo(src, dst, protocol, (uint32_t)len);
    uint16_t check = checksum_fold(checksum_add(sum, upper, len));
    memcpy(upper + offset, &check, 2);
}

static inline uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 31 + at / 253);
}

static inline void assert_pattern(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != pattern(i))
            fail_msg("byte %zu of %zu is wrong", i, len);
}

// Sends a packet in pieces that fit the MTU, as a kernel does.
static inline void kernel_send_cut(struct bench *bench, const struct address *src, const struct address *dst,
                                   uint8_t protocol, const uint8_t *upper, size_t len)
{
    static _Alignas(8) uint8_t packet[BENCH_ROOM];
    static uint32_t id;
    size_t header = src->version == 4 ? 20 : 40;
    if (header + len <= BENCH_MTU) {
        put_ip(packet, src, dst, protocol, len);
        memcpy(packet + header, upper, len);
        kernel_send(bench, NULL, packet, header + len);
        return;
    }
    id++;
    size_t extra = src->version == 4 ? 0 : 8;
    size_t step = (BENCH_MTU - header - extra) / 8 * 8;
    for (size_t from = 0; from < len; from += step) {
        size_t part = len - from < step ? len - from : step;
        bool more = from + part < len;
        put_ip(packet, src, dst, src->version == 4 ? protocol : 44, part + extra);
        if (src->version == 4) {
            put16(packet + 4, (uint16_t)id);
            put16(packet + 6, (uint16_t)(from / 8 | (more ? 0x2000 : 0)));
        } else {
            packet[40] = protocol;
            packet[41] = 0;
            put16(packet + 42, (uint16_t)(from | more));
            put32(packet + 44, id);
        }
        memcpy(packet + header + extra, upper + from, part);
        kernel_send(bench, NULL, packet, header + extra + part);
        if (from / step % 32 == 31)
            bench_run(bench);
    }
}

static inline void kernel_send_udp(struct bench *bench, const char *from, const char *to, size_t len)
{
    static uint8_t upper[BENCH_ROOM];
    struct endpoint src = at(from), dst = at(to);
    put16(upper, src.port);
    put16(upper + 2, dst.port);
    put16(upper + 4, (uint16_t)(8 + len));
    put16(upper + 6, 0);
    for (size_t i = 0; i < len; i++)
        upper[8 + i] = pattern(i);
    put_checksum(upper, 6, &src.addr, &dst.addr, IPPROTO_UDP, 8 + len);
    kernel_send_cut(bench, &src.addr, &dst.addr, IPPROTO_UDP, upper, 8 + len);
}

static inline void kernel_send_ping(struct bench *bench, const char *from, const char *to, uint16_t id, uint16_t seq,
                                    size_t len)
{
    static uint8_t upper[BENCH_ROOM];
    struct address src, dst;
    assert_true(address_parse(&src, from) && address_parse(&dst, to));
    uint8_t protocol = src.version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    put16(upper, src.version == 4 ? 0x0800 : 0x8000);
    put16(upper + 2, 0);
    put16(upper + 4, id);
    put16(upper + 6, seq);
    for (size_t i = 0; i < len; i++)
        upper[8 + i] = pattern(i);
    put_checksum(upper, 2, &src, &dst, protocol, 8 + len);
    kernel_send_cut(bench, &src, &dst, protocol, upper, 8 + len);
}

// The next packet is an ICMP destination-unreachable of this code, quoting a packet to `to`.
static inline void expect_error(struct bench *bench, const char *to, uint8_t code4, uint8_t code6)
{
    struct address target;
    assert_true(address_parse(&target, to));
    assert_true(kernel_get(bench));
    bool v4 = target.version == 4;
    assert_int_equal(bench->view.protocol, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    assert_int_equal(bench->view.upper[0], v4 ? 3 : 1);
    assert_int_equal(bench->view.upper[1], v4 ? code4 : code6);
    assert_memory_equal(bench->view.upper + 8 + (v4 ? 16 : 24), target.bytes, v4 ? 4 : 16);
}

#endif
