// SPDX-License-Identifier: GPL-2.0-or-later
// Captured TCP, from the application's segments to the gate's session and back. The test is the application's kernel.
#include "capture_bench.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { WINDOW = 65535, MSS = 1460, ISN = 1000 };

struct peer {
    struct endpoint inside;
    struct endpoint outside;
    uint32_t next;     // our next byte
    uint32_t expected; // the next byte of the other side
};

static struct bench *bench;
static uint8_t payload[65536];

static int start(bool tunnel)
{
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = pattern(i);
    bench = bench_new(false, 256, HOLD_MS);
    if (tunnel)
        bench_connect(bench);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return start(true);
}

static int setup_without_tunnel(void **state)
{
    (void)state;
    return start(false);
}

static int teardown(void **state)
{
    (void)state;
    bench_free(bench);
    return 0;
}

static struct peer peer_new(const char *inside, const char *outside)
{
    return (struct peer){.inside = at(inside), .outside = at(outside), .next = ISN};
}

static void send_segment(struct peer *peer, uint8_t flags, const uint8_t *bytes, size_t len)
{
    static uint8_t packet[BENCH_ROOM];
    size_t header = flags & SYN ? 24 : 20;
    size_t ip = put_ip(packet, &peer->inside.addr, &peer->outside.addr, IPPROTO_TCP, header + len);
    uint8_t *tcp = packet + ip;
    put16(tcp, peer->inside.port);
    put16(tcp + 2, peer->outside.port);
    put32(tcp + 4, peer->next);
    put32(tcp + 8, flags & ACK ? peer->expected : 0);
    put16(tcp + 12, (uint16_t)(header / 4 << 12 | flags));
    put16(tcp + 14, WINDOW);
    put32(tcp + 16, 0); // checksum, urgent pointer
    if (flags & SYN)
        put32(tcp + 20, 0x02040000 | MSS);
    if (len > 0)
        memcpy(tcp + header, bytes, len);
    put_checksum(tcp, 16, &peer->inside.addr, &peer->outside.addr, IPPROTO_TCP, header + len);
    kernel_send(bench, NULL, packet, ip + header + len);
    peer->next += (uint32_t)len + (flags & (SYN | FIN) ? 1 : 0);
    bench_run(bench);
}

// The next segment's flags; 0: there is none.
static uint8_t get_segment(const struct peer *peer)
{
    if (!kernel_get(bench))
        return 0;
    const struct packet_view *view = &bench->view;
    assert_int_equal(view->protocol, IPPROTO_TCP);
    assert_true(address_equal(&view->src, &peer->outside.addr) && address_equal(&view->dst, &peer->inside.addr));
    assert_int_equal(take16(view->upper), peer->outside.port);
    assert_int_equal(take16(view->upper + 2), peer->inside.port);
    uint64_t sum = checksum_pseudo(&view->src, &view->dst, IPPROTO_TCP, view->upper_len);
    assert_int_equal(checksum_fold(checksum_add(sum, view->upper, view->upper_len)), 0);
    return view->upper[13] & 0x3f;
}

// Takes everything that is there, in order; returns the flags of all. `bytes` gets the data, `*len` its length.
static uint8_t drain(struct peer *peer, uint8_t *bytes, size_t *len)
{
    uint8_t all = 0;
    *len = 0;
    for (uint8_t flags; (flags = get_segment(peer));) {
        const uint8_t *tcp = bench->view.upper;
        size_t header = (size_t)(tcp[12] >> 4) * 4;
        size_t part = bench->view.upper_len - header;
        all |= flags;
        if (flags & RST || (part == 0 && !(flags & FIN)))
            continue;
        assert_int_equal(take32(tcp + 4), peer->expected);
        memcpy(bytes + *len, tcp + header, part);
        *len += part;
        peer->expected += (uint32_t)part + (flags & FIN ? 1 : 0);
    }
    return all;
}

static uint8_t drain_flags(struct peer *peer)
{
    static uint8_t bytes[BENCH_BYTES];
    size_t len;
    return drain(peer, bytes, &len);
}

static void finish_handshake(struct peer *peer)
{
    assert_int_equal(get_segment(peer), SYN | ACK);
    assert_int_equal(take32(bench->view.upper + 8), ISN + 1);
    peer->expected = take32(bench->view.upper + 4) + 1;
    send_segment(peer, ACK, NULL, 0);
}

static struct peer establish(const char *inside, const char *outside)
{
    struct peer peer = peer_new(inside, outside);
    send_segment(&peer, SYN, NULL, 0);
    finish_handshake(&peer);
    return peer;
}

static struct gate_session *latest(void)
{
    return &bench->sessions[bench->opened - 1];
}

static void gate_send(struct gate_session *gate, size_t len)
{
    gate->out = payload;
    gate->out_len = len;
    usher_session_ready(gate->session);
    bench_run(bench);
}

static void test_syn_is_held_until_the_answer(void **state)
{
    (void)state;
    static const char *const ends[][2] = {{"10.9.0.1:5000", "10.73.0.1:80"}, {"[fd09::1]:5000", "[fd73::1]:80"}};
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct peer peer = peer_new(ends[i][0], ends[i][1]);
        bench->hold = true;
        send_segment(&peer, SYN, NULL, 0);
        assert_int_equal(get_segment(&peer), 0);
        assert_int_equal(bench->opened, i + 1);
        assert_int_equal(latest()->open.protocol, USHER_TCP);
        assert_int_equal(latest()->open.port, 80);
        assert_true(address_equal(&latest()->open.addr, &peer.outside.addr));
        usher_session_accept(latest()->session);
        bench_run(bench);
        finish_handshake(&peer);
        send_segment(&peer, ACK | PSH, payload, 10);
        assert_int_equal(latest()->len, 10);
    }
}

enum { SILENT = -2, RESET = -1 };

static const struct {
    const char *name;
    enum usher_word word;
    const char *text;
    int code4; // of the ICMP error, or RESET or SILENT
    int code6;
} refusals[] = {
    {"refused", USHER_REFUSED, "connection refused", RESET, RESET},
    {"no host", USHER_UNREACHABLE, "host unreachable", 1, 3},
    {"no network", USHER_UNREACHABLE, "network is unreachable", 0, 0},
    {"timeout", USHER_TIMEOUT, "no answer", SILENT, SILENT},
    {"denied", USHER_DENIED, "by policy", 13, 1},
    {"no such name", USHER_RESOLVE, "x", 1, 3},
    {"limit", USHER_LIMIT, "x", 1, 3},
    {"unsupported", USHER_UNSUPPORTED, "x", 1, 3},
    {"failed", USHER_FAILED, "x", 1, 3},
};

static void expect_refusal(struct peer *peer, const char *outside, const char *name, int code4, int code6)
{
    int code = peer->outside.addr.version == 4 ? code4 : code6;
    if (code == RESET) {
        CASE(name, get_segment(peer) == (RST | ACK));
        CASE(name, take32(bench->view.upper + 8) == ISN + 1);
    } else if (code != SILENT) {
        expect_error(bench, outside, (uint8_t)code, (uint8_t)code);
    }
    CASE(name, !kernel_get(bench));
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        char from[48];
        bench->word = refusals[i].word;
        bench->text = refusals[i].text;
        snprintf(from, sizeof from, "10.9.0.1:%zu", 5000 + i);
        struct peer v4 = peer_new(from, "10.73.0.1:80");
        send_segment(&v4, SYN, NULL, 0);
        expect_refusal(&v4, "10.73.0.1", refusals[i].name, refusals[i].code4, refusals[i].code6);
        snprintf(from, sizeof from, "[fd09::1]:%zu", 5000 + i);
        struct peer v6 = peer_new(from, "[fd73::1]:80");
        send_segment(&v6, SYN, NULL, 0);
        expect_refusal(&v6, "fd73::1", refusals[i].name, refusals[i].code4, refusals[i].code6);
        assert_int_equal(exchange_flows(bench->exchange), 0);
    }
}

static void test_waits_for_a_tunnel(void **state)
{
    (void)state;
    struct peer peer = peer_new("10.9.0.1:5000", "10.73.0.1:80");
    send_segment(&peer, SYN, NULL, 0);
    bench_later(bench, HOLD_MS - 500);
    assert_int_equal(get_segment(&peer), 0);
    assert_int_equal(exchange_flows(bench->exchange), 1);
    bench_later(bench, HOLD_MS);
    expect_error(bench, "10.73.0.1", 1, 3);
    assert_int_equal(exchange_flows(bench->exchange), 0);
    assert_int_equal(exchange_counters(bench->exchange)->flows_refused, 1);
}

static void test_tunnel_comes_in_time(void **state)
{
    (void)state;
    struct peer peer = peer_new("10.9.0.1:5000", "10.73.0.1:80");
    send_segment(&peer, SYN, NULL, 0);
    bench_connect(bench);
    bench_run(bench);
    finish_handshake(&peer);
    bench_later(bench, 2 * HOLD_MS);
    assert_int_equal(exchange_flows(bench->exchange), 1);
}

static void test_data_and_half_closes(void **state)
{
    (void)state;
    static uint8_t bytes[BENCH_BYTES];
    size_t len;
    for (int inside_first = 0; inside_first < 2; inside_first++) {
        char from[32];
        snprintf(from, sizeof from, "10.9.0.1:%d", 5000 + inside_first);
        struct peer peer = establish(from, "10.73.0.1:80");
        struct gate_session *gate = latest();
        if (inside_first) {
            send_segment(&peer, ACK | FIN, payload, 1000);
            assert_true(gate->finished);
        } else {
            usher_session_finish(gate->session);
            bench_run(bench);
            assert_true(drain(&peer, bytes, &len) & FIN);
            for (size_t sent = 0; sent < 7000; sent += 1000)
                send_segment(&peer, ACK, payload + sent, 1000);
            assert_int_equal(gate->len, 7000);
            assert_pattern(gate->bytes, 7000);
            send_segment(&peer, ACK | FIN, NULL, 0);
            assert_true(gate->finished);
        }
        if (inside_first) {
            gate_send(gate, 7000);
            assert_false(drain(&peer, bytes, &len) & FIN);
            assert_int_equal(len, 7000);
            assert_pattern(bytes, len);
            send_segment(&peer, ACK, NULL, 0);
            usher_session_finish(gate->session);
            bench_run(bench);
            assert_true(drain(&peer, bytes, &len) & FIN);
            send_segment(&peer, ACK, NULL, 0);
        }
        bench_run(bench);
        assert_null(gate->session);
        assert_int_equal(gate->ending, USHER_ENDED_CLOSED);
        assert_int_equal(exchange_flows(bench->exchange), 0);
        assert_false(drain_flags(&peer) & RST);
    }
}

// Credit goes back to the gate when the application's kernel has the bytes, not when we have.
static void test_credit_follows_acknowledgement(void **state)
{
    (void)state;
    static uint8_t bytes[BENCH_BYTES];
    size_t len;
    struct peer peer = establish("10.9.0.1:5000", "10.73.0.1:80");
    struct gate_session *gate = latest();
    uint64_t room = usher_session_send_room(gate->session);
    gate_send(gate, 40000);
    assert_int_equal(usher_session_send_room(gate->session), room - 40000);
    for (size_t total = 0; total < 40000; total += len) {
        drain(&peer, bytes, &len);
        assert_true(len > 0);
        send_segment(&peer, ACK, NULL, 0);
    }
    assert_true(usher_session_send_room(gate->session) >= room - 40000 + 16384);
}

// All that the application may send has been sent, `behind` segments wait, and nothing is taken.
static void end_without_credit(int behind)
{
    static uint8_t bytes[1024];
    struct peer peer = establish("10.9.0.1:5000", "10.73.0.1:80");
    struct gate_session *gate = latest();
    bench->stalled = true;
    for (int i = 0; i < 64 + behind; i++) {
        send_segment(&peer, ACK, bytes, sizeof bytes);
        bench_run(bench);
    }
    assert_int_equal(gate->len, USHER_WINDOW_START);
    send_segment(&peer, ACK | FIN, NULL, 0);
    bench_run(bench);
    assert_int_equal(gate->finished, !behind);
    bench->stalled = false;
    usher_session_consumed(gate->session, gate->owed);
    bench_run(bench);
    assert_true(gate->finished);
    assert_int_equal(gate->len, USHER_WINDOW_START + behind * 1024);
}

static void test_an_end_needs_no_credit(void **state)
{
    (void)state;
    end_without_credit(0);
}

static void test_an_end_behind_bytes_waits_with_them(void **state)
{
    (void)state;
    end_without_credit(1);
}

// What was queued when the far side had closed is still delivered, however late the application takes it.
static void test_closed_session_leaves_its_data(void **state)
{
    (void)state;
    static uint8_t bytes[BENCH_BYTES];
    size_t len, total = 0;
    struct peer peer = establish("10.9.0.1:5000", "10.73.0.1:80");
    struct gate_session *gate = latest();
    send_segment(&peer, ACK | FIN, NULL, 0);
    gate_send(gate, 60000);
    usher_session_finish(gate->session);
    bench_run(bench);
    assert_null(gate->session);
    assert_int_equal(exchange_flows(bench->exchange), 1);
    uint8_t flags = 0;
    for (int i = 0; i < 100 && !(flags & FIN); i++) {
        flags |= drain(&peer, bytes + total, &len);
        total += len;
        send_segment(&peer, ACK, NULL, 0);
    }
    assert_int_equal(total, 60000);
    assert_pattern(bytes, total);
    assert_false(flags & RST);
    bench_run(bench);
    assert_int_equal(exchange_flows(bench->exchange), 0);
}

// The application has sent everything, closed and is gone, while the link still owes the far side its bytes.
static void test_unread_bytes_outlive_the_application(void **state)
{
    (void)state;
    bench->stalled = true;
    struct peer peer = establish("10.9.0.1:5000", "10.73.0.1:80");
    struct gate_session *gate = latest();
    usher_session_finish(gate->session);
    bench_run(bench);
    drain_flags(&peer);
    for (size_t sent = 0; sent < 100000; sent += 1000)
        send_segment(&peer, ACK, payload, 1000);
    send_segment(&peer, ACK | FIN, NULL, 0);
    assert_false(drain_flags(&peer) & RST);
    assert_int_equal(gate->len, USHER_WINDOW_START);
    assert_false(gate->finished);
    bench->stalled = false;
    usher_session_consumed(gate->session, gate->owed);
    bench_run(bench);
    assert_int_equal(gate->len, 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(gate->bytes[i], pattern(i % 1000));
    assert_true(gate->finished);
    assert_null(gate->session);
    assert_int_equal(exchange_flows(bench->exchange), 0);
}

static void test_resets(void **state)
{
    (void)state;
    struct peer peer = establish("10.9.0.1:5000", "10.73.0.1:80");
    send_segment(&peer, RST, NULL, 0);
    assert_null(latest()->session);
    assert_int_equal(latest()->ending, USHER_ENDED_RESET);
    assert_int_equal(exchange_flows(bench->exchange), 0);

    peer = establish("10.9.0.1:5001", "10.73.0.1:80");
    usher_session_reset(latest()->session, USHER_FAILED, "reset");
    bench_run(bench);
    assert_true(drain_flags(&peer) & RST);
    assert_int_equal(exchange_flows(bench->exchange), 0);
}

static void test_application_gives_up_before_the_answer(void **state)
{
    (void)state;
    bench->hold = true;
    struct peer peer = peer_new("10.9.0.1:5000", "10.73.0.1:80");
    send_segment(&peer, SYN, NULL, 0);
    assert_non_null(latest()->session);
    send_segment(&peer, RST, NULL, 0);
    assert_non_null(latest()->session); // a session that ends before it has begun is what abuse looks like
    assert_int_equal(exchange_flows(bench->exchange), 1);
    usher_session_accept(latest()->session);
    bench_run(bench);
    assert_null(latest()->session);
    assert_int_equal(latest()->ending, USHER_ENDED_RESET);
    assert_int_equal(usher_engine_counters(bench->gate)->glitches, 0);
    assert_int_equal(get_segment(&peer), 0);
    assert_int_equal(exchange_flows(bench->exchange), 0);
}

static void test_lost_tunnel(void **state)
{
    (void)state;
    struct peer open = establish("10.9.0.1:5000", "10.73.0.1:80");
    struct peer pending = peer_new("10.9.0.1:5001", "10.73.0.1:80");
    bench->hold = true;
    send_segment(&pending, SYN, NULL, 0);
    bench_disconnect(bench);
    bench_run(bench);
    assert_true(get_segment(&open) & RST);
    assert_int_equal(get_segment(&open), 0);
    assert_int_equal(exchange_flows(bench->exchange), 1);
    bench->hold = false;
    bench_connect(bench);
    bench_run(bench);
    finish_handshake(&pending);
    assert_int_equal(bench->opened, 3);
}

static bool is_not_the_first(void *owner, const struct address *outside)
{
    (void)owner;
    const struct endpoint first = at("10.73.0.1:80");
    return !address_equal(outside, &first.addr);
}

// What is open to elsewhere than what is captured by now: open, pending, and held.
static void test_withdrawn(void **state)
{
    (void)state;
    struct peer gone = establish("10.9.0.1:5000", "10.73.0.1:80");
    assert_non_null(latest()->session);
    struct peer kept = establish("10.9.0.1:5001", "10.73.0.2:80");
    bench->hold = true;
    struct peer pending = peer_new("10.9.0.1:5002", "10.73.0.1:80");
    send_segment(&pending, SYN, NULL, 0);
    assert_int_equal(exchange_flows(bench->exchange), 3);
    capture_withdraw(bench->capture, is_not_the_first, NULL);
    bench_run(bench);
    assert_true(drain_flags(&gone) & RST);
    assert_int_equal(get_segment(&kept), 0);
    assert_int_equal(exchange_flows(bench->exchange), 2);
    assert_non_null(latest()->session); // a session that ends before it has begun is what abuse looks like
    assert_int_equal(usher_engine_counters(bench->gate)->glitches, 0);
    send_segment(&kept, RST, NULL, 0);
    assert_int_equal(exchange_flows(bench->exchange), 1);
}

static void test_withdrawn_while_held(void **state)
{
    (void)state;
    struct peer held = peer_new("10.9.0.1:5000", "10.73.0.1:80"), kept = peer_new("10.9.0.1:5001", "10.73.0.2:80");
    send_segment(&held, SYN, NULL, 0);
    send_segment(&kept, SYN, NULL, 0);
    assert_int_equal(exchange_flows(bench->exchange), 2);
    capture_withdraw(bench->capture, is_not_the_first, NULL);
    bench_run(bench);
    assert_int_equal(exchange_flows(bench->exchange), 1);
    assert_true(exchange_is_holding(bench->exchange));
    assert_true(kernel_get(bench) && bench->view.protocol == IPPROTO_ICMP && bench->view.upper[0] == 3); // unreachable
    bench_connect(bench);
    bench_run(bench);
    finish_handshake(&kept);
    assert_int_equal(bench->opened, 1);
}

static void test_session_limit(void **state)
{
    (void)state;
    char from[48];
    for (int i = 0; i <= BENCH_SESSIONS; i++) {
        snprintf(from, sizeof from, "10.9.0.1:%d", 5000 + i);
        struct peer peer = peer_new(from, "10.73.0.1:80");
        send_segment(&peer, SYN, NULL, 0);
        if (i < BENCH_SESSIONS)
            finish_handshake(&peer);
    }
    expect_error(bench, "10.73.0.1", 1, 3);
    assert_int_equal(exchange_counters(bench->exchange)->flows_refused, 1);
    assert_int_equal(exchange_flows(bench->exchange), BENCH_SESSIONS);
}

// The far side closes both halves: the application sees the end, what it still says is taken and thrown away, and it
// has 60 s to close its own half.
static void test_far_side_closes_both(void **state)
{
    (void)state;
    for (int closes = 0; closes < 2; closes++) {
        char from[32];
        snprintf(from, sizeof from, "10.9.0.1:%d", 5000 + closes);
        struct peer peer = establish(from, "10.73.0.1:80");
        struct gate_session *gate = latest();
        usher_session_close(gate->session);
        bench_run(bench);
        assert_true(drain_flags(&peer) & FIN);
        assert_null(gate->session);
        for (int i = 0; i < 100; i++)
            send_segment(&peer, ACK, payload, 1400);
        assert_int_equal(gate->len, 0);
        assert_false(drain_flags(&peer) & RST);
        if (closes) {
            send_segment(&peer, ACK | FIN, NULL, 0);
            assert_false(drain_flags(&peer) & RST);
        } else {
            bench_later(bench, 59000);
            assert_int_equal(exchange_flows(bench->exchange), 1);
            bench_later(bench, 61000);
            assert_true(drain_flags(&peer) & RST);
        }
        bench_run(bench);
        assert_int_equal(exchange_flows(bench->exchange), 0);
    }
}

static void fill_device(void)
{
    uint64_t lost = capture_counters(bench->capture)->packets_lost;
    for (int i = 0; i < 1000 && capture_counters(bench->capture)->packets_lost == lost; i++) {
        struct usher_datagram datagram = {
            .from = at("10.73.0.1:9"), .to = at("10.9.0.1:1"), .bytes = payload, .len = 60000};
        usher_session_datagram(bench->sessions[0].session, &datagram);
        bench_run(bench);
    }
    assert_int_equal(capture_counters(bench->capture)->packets_lost, lost + 1);
}

static void empty_device(void)
{
    while (kernel_get(bench))
        assert_int_equal(bench->view.protocol, IPPROTO_UDP);
}

// A device that is full for a while tells when it has room again, and loses nothing of TCP.
static void test_device_is_full(void **state)
{
    (void)state;
    struct peer peer = peer_new("10.9.0.1:5000", "10.73.0.1:80");
    kernel_send_udp(bench, "10.9.0.1:1", "10.73.0.1:9", 1);
    bench_run(bench);
    fill_device();
    unsigned wakes = bench->wakes;
    uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(bench->wakes, wakes);
    empty_device();
    uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(bench->wakes, wakes + 1);
    bench_run(bench); // the turn that was asked for; then it sleeps
    wakes = bench->wakes;
    uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(bench->wakes, wakes);

    fill_device();
    send_segment(&peer, SYN, NULL, 0);
    assert_non_null(latest()->session);
    empty_device();
    bench_run(bench);
    finish_handshake(&peer);
}

// A quarter of all flows may wait for their answers, but no single neighbour takes all the places.
static void test_syns_of_one_source(void **state)
{
    (void)state;
    bench = bench_new(false, 2000, HOLD_MS);
    for (int i = 0; i < 600; i++) {
        char from[32];
        snprintf(from, sizeof from, "10.9.0.1:%d", 5000 + i);
        struct peer peer = peer_new(from, "10.73.0.1:80");
        send_segment(&peer, SYN, NULL, 0);
    }
    assert_int_equal(exchange_flows(bench->exchange), 500);
    struct peer other = peer_new("10.9.0.2:5000", "10.73.0.1:80");
    send_segment(&other, SYN, NULL, 0);
    assert_int_equal(exchange_flows(bench->exchange), 501);
    bench_free(bench);
}

static const char *wanted_state;

static void see(void *arg, const struct flow_info *info)
{
    ++*(unsigned *)arg;
    assert_int_equal(info->protocol, IPPROTO_TCP);
    assert_int_equal(info->inside.port, 5000);
    assert_int_equal(info->outside.port, 80);
    assert_string_equal(info->state, wanted_state);
}

static void assert_state(const char *text)
{
    unsigned count = 0;
    wanted_state = text;
    exchange_each_flow(bench->exchange, see, &count, clock_now());
    assert_int_equal(count, 1);
}

static void test_listing(void **state)
{
    (void)state;
    struct peer peer = peer_new("10.9.0.1:5000", "10.73.0.1:80");
    send_segment(&peer, SYN, NULL, 0);
    assert_state("waiting");
    bench->hold = true;
    bench_connect(bench);
    bench_run(bench);
    assert_state("pending");
    usher_session_accept(latest()->session);
    bench_run(bench);
    finish_handshake(&peer);
    assert_state("active");
    usher_session_close(latest()->session);
    bench_run(bench);
    assert_state("closing");
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_DOWN(name) cmocka_unit_test_setup_teardown(name, setup_without_tunnel, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_syn_is_held_until_the_answer),
        TEST(test_refusals),
        TEST_DOWN(test_waits_for_a_tunnel),
        TEST_DOWN(test_tunnel_comes_in_time),
        TEST(test_data_and_half_closes),
        TEST(test_credit_follows_acknowledgement),
        TEST(test_an_end_needs_no_credit),
        TEST(test_an_end_behind_bytes_waits_with_them),
        TEST(test_closed_session_leaves_its_data),
        TEST(test_unread_bytes_outlive_the_application),
        TEST(test_resets),
        TEST(test_application_gives_up_before_the_answer),
        TEST(test_lost_tunnel),
        TEST(test_withdrawn),
        TEST_DOWN(test_withdrawn_while_held),
        TEST(test_session_limit),
        TEST(test_far_side_closes_both),
        TEST(test_device_is_full),
        cmocka_unit_test(test_syns_of_one_source),
        TEST_DOWN(test_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
