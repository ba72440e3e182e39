// SPDX-License-Identifier: GPL-2.0-or-later
// Captured UDP from the application's kernel to the gate's session and back.
#include "capture_bench.h"

#include <sys/timerfd.h>

static const char inside4[] = "10.9.0.1:5000";
static const char inside6[] = "[fd09::1]:5000";

static struct bench *bench;

static int setup(void **state)
{
    (void)state;
    bench = bench_new(false, 64, HOLD_MS);
    bench_connect(bench);
    return 0;
}

static int setup_without_tunnel(void **state)
{
    (void)state;
    bench = bench_new(false, 64, HOLD_MS);
    return 0;
}

static int setup_offload(void **state)
{
    (void)state;
    bench = bench_new(true, 64, HOLD_MS);
    bench_connect(bench);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_free(bench);
    return 0;
}

static void reply(struct gate_session *gate, const char *from, const char *to, const void *bytes, size_t len)
{
    struct usher_datagram datagram = {.from = at(from), .to = at(to), .bytes = bytes, .len = len};
    assert_true(usher_session_datagram(gate->session, &datagram));
    bench_run(bench);
}

static void expect_udp(const char *from, const char *to, size_t len)
{
    struct endpoint src = at(from), dst = at(to);
    assert_true(kernel_get(bench));
    assert_int_equal(bench->view.protocol, IPPROTO_UDP);
    assert_true(address_equal(&bench->view.src, &src.addr));
    assert_true(address_equal(&bench->view.dst, &dst.addr));
    assert_int_equal(take16(bench->view.upper), src.port);
    assert_int_equal(take16(bench->view.upper + 2), dst.port);
    assert_int_equal(take16(bench->view.upper + 4), 8 + len);
    assert_int_equal(bench->view.upper_len, 8 + len);
    assert_pattern(bench->view.upper + 8, len);
}

static void test_one_socket_three_servers_one_session(void **state)
{
    (void)state;
    static const char *const servers[] = {"10.73.0.1:53", "10.73.0.2:123", "10.73.0.3:9"};
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern(i);
    for (size_t i = 0; i < COUNT(servers); i++) {
        kernel_send_udp(bench, inside4, servers[i], 40 + i);
        bench_run(bench);
        struct endpoint from = at(inside4), to = at(servers[i]);
        assert_int_equal(bench->opened, 1);
        assert_int_equal(bench->sessions[0].datagrams, i + 1);
        assert_int_equal(bench->sessions[0].len, 40 + i);
        assert_pattern(bench->sessions[0].bytes, 40 + i);
        assert_true(endpoint_equal(&bench->sessions[0].latest.from, &from));
        assert_true(endpoint_equal(&bench->sessions[0].latest.to, &to));
    }
    assert_int_equal(bench->sessions[0].open.protocol, USHER_UDP);
    assert_int_equal(bench->sessions[0].open.port, 53);
    assert_int_equal(exchange_flows(bench->exchange), 1);
    for (size_t i = 0; i < COUNT(servers); i++) {
        reply(&bench->sessions[0], servers[i], inside4, bytes, sizeof bytes);
        expect_udp(servers[i], inside4, sizeof bytes);
    }
    kernel_send_udp(bench, "10.9.0.1:5001", servers[0], 1);
    bench_run(bench);
    assert_int_equal(bench->opened, 2);
}

static void test_v6_has_one_session_a_far_end(void **state)
{
    (void)state;
    uint8_t byte = pattern(0);
    kernel_send_udp(bench, inside6, "[fd73::1]:7", 4);
    kernel_send_udp(bench, inside6, "[fd73::2]:7", 4);
    kernel_send_udp(bench, inside6, "[fd73::1]:7", 5);
    bench_run(bench);
    assert_int_equal(bench->opened, 2);
    assert_true(bench->sessions[0].open.by_name);
    assert_int_equal(bench->sessions[0].datagrams, 2);
    assert_int_equal(bench->sessions[0].latest.from.addr.version, 0);
    assert_int_equal(bench->sessions[0].latest.to.port, 0);
    struct usher_datagram datagram = {.bytes = &byte, .len = 1};
    assert_true(usher_session_datagram(bench->sessions[1].session, &datagram));
    bench_run(bench);
    expect_udp("[fd73::2]:7", inside6, 1);
}

static const size_t sizes[] = {0, 1, 1472, 1473, 2000, 9000, 65507};

static void test_sizes_outwards(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        kernel_send_udp(bench, inside4, "10.73.0.1:9", sizes[i]);
        kernel_send_udp(bench, inside6, "[fd73::1]:9", sizes[i]);
        bench_run(bench);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(bench->sessions[k].datagrams, i + 1);
            assert_int_equal(bench->sessions[k].len, sizes[i]);
            assert_pattern(bench->sessions[k].bytes, sizes[i]);
        }
    }
}

static void expect_udp6_whole(size_t len)
{
    assert_true(kernel_get_whole(bench));
    const struct packet_view *whole = &bench->view;
    assert_int_equal(whole->protocol, IPPROTO_UDP);
    assert_int_equal(whole->upper_len, 8 + len);
    assert_int_equal(take16(whole->upper + 4), 8 + len);
    assert_pattern(whole->upper + 8, len);
    uint64_t sum = checksum_pseudo(&whole->src, &whole->dst, IPPROTO_UDP, whole->upper_len);
    assert_int_equal(checksum_fold(checksum_add(sum, whole->upper, whole->upper_len)), 0);
}

static void test_sizes_inwards(void **state)
{
    (void)state;
    static uint8_t bytes[65507];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern(i);
    kernel_send_udp(bench, inside4, "10.73.0.1:9", 1);
    kernel_send_udp(bench, inside6, "[fd73::1]:9", 1);
    bench_run(bench);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        reply(&bench->sessions[0], "10.73.0.1:9", inside4, bytes, sizes[i]);
        expect_udp("10.73.0.1:9", inside4, sizes[i]);
        assert_int_equal(bench->packet[6] & 0x40, 0); // no DF: the kernel may cut it further on
        struct usher_datagram datagram = {.bytes = bytes, .len = sizes[i]};
        assert_true(usher_session_datagram(bench->sessions[1].session, &datagram));
        bench_run(bench);
        expect_udp6_whole(sizes[i]);
        assert_false(kernel_get(bench));
    }
}

static void test_early_datagrams_are_bounded(void **state)
{
    (void)state;
    bench->hold = true;
    for (int i = 0; i < 20; i++)
        kernel_send_udp(bench, inside4, "10.73.0.1:9", 10);
    bench_run(bench);
    assert_int_equal(bench->sessions[0].datagrams, 0);
    assert_int_equal(capture_counters(bench->capture)->datagrams_dropped, 4);
    usher_session_accept(bench->sessions[0].session);
    bench_run(bench);
    assert_int_equal(bench->opened, 1);
    assert_int_equal(bench->sessions[0].datagrams, 16);

    for (int i = 0; i < 4; i++)
        kernel_send_udp(bench, inside6, "[fd73::1]:9", 30000);
    bench_run(bench);
    usher_session_accept(bench->sessions[1].session);
    bench_run(bench);
    assert_int_equal(bench->sessions[1].datagrams, 2); // 64 KiB
}

// However many associations wait: 4 MiB for all of them.
static void test_early_datagrams_of_all(void **state)
{
    (void)state;
    enum { SOCKETS = 100, SIZE = 60000 };
    bench = bench_new(false, 400, HOLD_MS);
    for (int i = 0; i < SOCKETS; i++) {
        char from[32];
        snprintf(from, sizeof from, "10.9.0.1:%d", 2000 + i);
        kernel_send_udp(bench, from, "10.73.0.1:9", SIZE);
        bench_run(bench);
    }
    assert_int_equal(exchange_flows(bench->exchange), SOCKETS);
    uint64_t dropped = capture_counters(bench->capture)->datagrams_dropped;
    assert_true(dropped >= SOCKETS - 4 * 1024 * 1024 / SIZE && dropped < SOCKETS / 2);
    bench_free(bench);
}

static const struct {
    const char *name;
    enum usher_word word;
    const char *text;
    int code4;
    int code6;
} refusals[] = {
    {"refused", USHER_REFUSED, "x", 3, 4},
    {"no host", USHER_UNREACHABLE, "host unreachable", 1, 3},
    {"no network", USHER_UNREACHABLE, "network is unreachable", 0, 0},
    {"denied", USHER_DENIED, "by policy", 13, 1},
    {"no such name", USHER_RESOLVE, "x", 1, 3},
    {"limit", USHER_LIMIT, "x", 1, 3},
    {"unsupported", USHER_UNSUPPORTED, "x", 1, 3},
    {"failed", USHER_FAILED, "x", 1, 3},
    {"timeout", USHER_TIMEOUT, "x", -1, -1},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        char from4[32], from6[32];
        snprintf(from4, sizeof from4, "10.9.0.1:%zu", 1000 + i);
        snprintf(from6, sizeof from6, "[fd09::1]:%zu", 1000 + i);
        bench->word = refusals[i].word;
        bench->text = refusals[i].text;
        kernel_send_udp(bench, from4, "10.73.0.1:9", 5);
        bench_run(bench);
        if (refusals[i].code4 >= 0)
            expect_error(bench, "10.73.0.1", (uint8_t)refusals[i].code4, 0);
        kernel_send_udp(bench, from6, "[fd73::1]:9", 5);
        bench_run(bench);
        if (refusals[i].code6 >= 0)
            expect_error(bench, "fd73::1", 0, (uint8_t)refusals[i].code6);
        CASE(refusals[i].name, !kernel_get(bench));
    }
}

static void test_failure_is_remembered_for_a_second(void **state)
{
    (void)state;
    bench->word = USHER_DENIED;
    bench->text = "by policy";
    for (int i = 0; i < 3; i++) {
        kernel_send_udp(bench, inside4, "10.73.0.1:9", 5);
        bench_run(bench);
        expect_error(bench, "10.73.0.1", 13, 1);
    }
    assert_int_equal(bench->opened, 1);
    // Another destination of the same socket gets its own try.
    bench->text = NULL;
    kernel_send_udp(bench, inside4, "10.73.0.2:9", 5);
    bench_run(bench);
    assert_int_equal(bench->opened, 2);
    assert_int_equal(bench->sessions[1].datagrams, 1);

    bench->text = "by policy";
    kernel_send_udp(bench, "10.9.0.1:6", "10.73.0.1:9", 5);
    bench_run(bench);
    expect_error(bench, "10.73.0.1", 13, 1);
    bench_later(bench, 1000);
    kernel_send_udp(bench, "10.9.0.1:6", "10.73.0.1:9", 5);
    bench_run(bench);
    assert_int_equal(bench->opened, 4);
}

// The association is judged by its first destination; the second is not to suffer for the first.
static void test_denied_first_destination(void **state)
{
    (void)state;
    bench->hold = true;
    kernel_send_udp(bench, inside4, "10.73.0.1:9", 5);
    kernel_send_udp(bench, inside4, "10.73.0.2:9", 6);
    bench_run(bench);
    assert_int_equal(bench->opened, 1);
    bench->hold = false;
    usher_session_refuse(bench->sessions[0].session, USHER_DENIED, "by policy");
    bench->sessions[0].session = NULL;
    bench_run(bench);
    expect_error(bench, "10.73.0.1", 13, 1);
    assert_int_equal(bench->opened, 2);
    assert_int_equal(bench->sessions[1].datagrams, 1);
    assert_int_equal(bench->sessions[1].len, 6);
    assert_false(kernel_get(bench));
}

static void test_reset_quotes_the_latest(void **state)
{
    (void)state;
    kernel_send_udp(bench, inside4, "10.73.0.1:9", 5);
    kernel_send_udp(bench, inside4, "10.73.0.2:9", 5);
    kernel_send_udp(bench, inside6, "[fd73::1]:9", 5);
    bench_run(bench);
    usher_session_reset(bench->sessions[0].session, USHER_REFUSED, "connection refused");
    bench_run(bench);
    expect_error(bench, "10.73.0.2", 3, 4);
    usher_session_reset(bench->sessions[1].session, USHER_TIMEOUT, "idle");
    bench_run(bench);
    assert_false(kernel_get(bench));
    assert_int_equal(exchange_flows(bench->exchange), 0);
    kernel_send_udp(bench, inside4, "10.73.0.1:9", 5);
    bench_run(bench);
    assert_int_equal(bench->opened, 3);
}

// What the other side says of one datagram; the portal's session of that number has the id `id`.
static void say_unreachable(uint16_t id, const char *to, enum usher_word word, const char *text)
{
    static const struct usher_open open = {.protocol = USHER_CONTROL, .by_name = true, .host = "x"};
    static const struct usher_session_ops none;
    struct usher_unreachable what = {.from = at(inside4), .word = word, .text = text};
    if (to)
        what.to = at(to);
    struct usher_session *any = usher_session_open(bench->portal, &open, &none, NULL);
    usher_session_heard(any, id, &what);
    usher_session_reset(any, USHER_FAILED, "");
    bench_run(bench);
}

static void test_each_datagram_has_its_own_error(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        enum usher_word word;
        const char *text;
        uint8_t code;
    } cases[] = {
        {"10.73.0.1", USHER_REFUSED, "", 3},        {"10.73.0.2", USHER_UNREACHABLE, "host", 1},
        {"10.73.0.3", USHER_UNREACHABLE, "net", 0}, {"10.73.0.1", USHER_DENIED, "", 13},
        {"10.73.0.1", USHER_REFUSED, "", 3},
    };
    for (int i = 1; i <= 70; i++) {
        char to[32];
        snprintf(to, sizeof to, "10.73.0.%d:9", i <= 3 ? i : i + 10);
        kernel_send_udp(bench, inside4, to, (size_t)i);
        bench_run(bench);
        if (i != 3)
            continue;
        for (size_t k = 0; k < COUNT(cases); k++) {
            snprintf(to, sizeof to, "%s:9", cases[k].to);
            say_unreachable(2, to, cases[k].word, cases[k].text);
            expect_error(bench, cases[k].to, cases[k].code, 0);
            assert_false(kernel_get(bench));
        }
    }
    // The first six have been sent to too long ago; and nobody has been sent to there at all.
    say_unreachable(2, "10.73.0.1:9", USHER_REFUSED, "");
    say_unreachable(2, "10.73.0.80:10", USHER_REFUSED, "");
    say_unreachable(2, NULL, USHER_REFUSED, "");
    say_unreachable(2, "10.73.0.80:9", USHER_TIMEOUT, "");
    assert_false(kernel_get(bench));
    say_unreachable(2, "10.73.0.80:9", USHER_REFUSED, "");
    expect_error(bench, "10.73.0.80", 3, 0);
    assert_int_equal(bench->opened, 1);
    // IPv6: one far end, whatever is said of addresses.
    kernel_send_udp(bench, inside6, "[fd73::1]:9", 5);
    bench_run(bench);
    say_unreachable(4, NULL, USHER_REFUSED, "");
    expect_error(bench, "fd73::1", 0, 4);
    assert_int_equal(exchange_flows(bench->exchange), 2);
    // Where nothing but errors has come, it is kept as for one question.
    bench_later(bench, DNS_IDLE_MS + 1000);
    bench_run(bench);
    assert_int_equal(exchange_flows(bench->exchange), 0);
}

static void test_waits_for_a_tunnel(void **state)
{
    (void)state;
    kernel_send_udp(bench, inside4, "10.73.0.1:9", 5);
    kernel_send_udp(bench, inside4, "10.73.0.2:9", 5);
    bench_run(bench);
    bench_later(bench, HOLD_MS - 500);
    assert_false(kernel_get(bench));
    bench_later(bench, HOLD_MS);
    expect_error(bench, "10.73.0.1", 1, 3);
    expect_error(bench, "10.73.0.2", 1, 3);
    assert_int_equal(exchange_flows(bench->exchange), 0);
    assert_int_equal(exchange_counters(bench->exchange)->flows_refused, 1);

    kernel_send_udp(bench, inside4, "10.73.0.1:9", 5);
    bench_run(bench);
    bench_connect(bench);
    bench_run(bench);
    assert_int_equal(bench->sessions[0].datagrams, 1);
}

static void test_lost_tunnel(void **state)
{
    (void)state;
    kernel_send_udp(bench, inside4, "10.73.0.1:9", 5);
    bench_run(bench);
    bench->hold = true;
    kernel_send_udp(bench, "10.9.0.1:7", "10.73.0.1:9", 7);
    bench_run(bench);
    bench_disconnect(bench);
    bench_run(bench);
    assert_false(kernel_get(bench));
    assert_int_equal(exchange_flows(bench->exchange), 1); // the open one is forgotten, the pending one waits
    bench->hold = false;
    bench_connect(bench);
    bench_run(bench);
    assert_int_equal(bench->opened, 3);
    assert_int_equal(bench->sessions[2].datagrams, 1);
    assert_int_equal(bench->sessions[2].len, 7);
    kernel_send_udp(bench, inside4, "10.73.0.1:9", 5);
    bench_run(bench);
    assert_int_equal(bench->opened, 4);
}

static void test_idle(void **state)
{
    (void)state;
    uint8_t byte = pattern(0);
    kernel_send_udp(bench, inside4, "10.73.0.1:53", 5);
    bench_run(bench);
    bench_later(bench, UDP_IDLE_MS - 500);
    bench_run(bench);
    assert_non_null(bench->sessions[0].session);
    bench_later(bench, UDP_IDLE_MS);
    bench_run(bench);
    assert_null(bench->sessions[0].session);
    assert_int_equal(bench->sessions[0].ending, USHER_ENDED_CLOSED);
    assert_int_equal(exchange_flows(bench->exchange), 0);

    // An answer from port 53 shortens it, a further question restores it.
    kernel_send_udp(bench, inside4, "10.73.0.1:53", 5);
    bench_run(bench);
    reply(&bench->sessions[1], "10.73.0.1:53", inside4, &byte, 1);
    kernel_send_udp(bench, inside4, "10.73.0.1:53", 5);
    bench_run(bench);
    bench_later(bench, DNS_IDLE_MS);
    bench_run(bench);
    assert_non_null(bench->sessions[1].session);
    reply(&bench->sessions[1], "10.73.0.1:53", inside4, &byte, 1);
    bench_later(bench, DNS_IDLE_MS - 500);
    bench_run(bench);
    assert_non_null(bench->sessions[1].session);
    bench_later(bench, DNS_IDLE_MS);
    bench_run(bench);
    assert_null(bench->sessions[1].session);
}

static void test_checksums(void **state)
{
    (void)state;
    uint8_t packet[128];
    for (int v6 = 0; v6 < 2; v6++) {
        struct endpoint src = at(v6 ? inside6 : inside4), dst = at(v6 ? "[fd73::1]:9" : "10.73.0.1:9");
        size_t ip = put_ip(packet, &src.addr, &dst.addr, IPPROTO_UDP, 12);
        uint8_t *udp = packet + ip;
        put16(udp, src.port);
        put16(udp + 2, dst.port);
        put16(udp + 4, 12);
        memcpy(udp + 8, "abcd", 4);
        put16(udp + 6, 0x1234);
        kernel_send(bench, NULL, packet, ip + 12);
        bench_run(bench);
        assert_int_equal(capture_counters(bench->capture)->bad_checksum, 1 + v6 * 1);
        put16(udp + 6, 0);
        kernel_send(bench, NULL, packet, ip + 12);
        bench_run(bench);
        assert_int_equal(bench->opened, 1);
        assert_int_equal(capture_counters(bench->capture)->bad_checksum, 1 + v6 * 2);
    }
    assert_int_equal(bench->sessions[0].datagrams, 1);
}

static void test_lengths_that_lie(void **state)
{
    (void)state;
    static const struct {
        uint16_t says;
        uint64_t malformed;
        unsigned datagrams;
    } lengths[] = {{7, 1, 0}, {0, 2, 0}, {13, 3, 0}, {10, 3, 1}};
    struct endpoint src = at(inside4), dst = at("10.73.0.1:9");
    uint8_t packet[128];
    for (size_t i = 0; i < COUNT(lengths); i++) {
        put_ip(packet, &src.addr, &dst.addr, IPPROTO_UDP, 12);
        put16(packet + 20, src.port);
        put16(packet + 22, dst.port);
        put16(packet + 24, lengths[i].says);
        put16(packet + 26, 0);
        kernel_send(bench, NULL, packet, 32);
        bench_run(bench);
        assert_int_equal(capture_counters(bench->capture)->malformed, lengths[i].malformed);
        assert_int_equal(bench->sessions[0].datagrams, lengths[i].datagrams);
    }
    assert_int_equal(bench->sessions[0].len, 2); // without what stands behind the datagram
}

static void test_super_packet(void **state)
{
    (void)state;
    struct endpoint src = at(inside4), dst = at("10.73.0.1:9");
    struct virtio_net_hdr vnet = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = 5, // UDP_L4
        .gso_size = 1000,
        .csum_start = 20,
        .csum_offset = 6,
    };
    uint8_t packet[4096];
    put_ip(packet, &src.addr, &dst.addr, IPPROTO_UDP, 8 + 2500);
    put16(packet + 20, src.port);
    put16(packet + 22, dst.port);
    put16(packet + 24, 8 + 2500);
    put16(packet + 26, 0xbeef); // partial
    for (size_t i = 0; i < 2500; i++)
        packet[28 + i] = pattern(i % 1000);
    kernel_send(bench, &vnet, packet, 28 + 2500);
    bench_run(bench);
    assert_int_equal(bench->opened, 1);
    assert_int_equal(bench->sessions[0].datagrams, 3);
    assert_int_equal(bench->sessions[0].len, 500);
    assert_pattern(bench->sessions[0].bytes, 500);

    reply(&bench->sessions[0], "10.73.0.1:9", inside4, bench->sessions[0].bytes, 500);
    expect_udp("10.73.0.1:9", inside4, 500);
    assert_int_equal(bench->vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(bench->vnet.csum_start, 20);
    assert_int_equal(bench->vnet.csum_offset, 6);
}

// Queues `count` answers of `len` bytes, to be delivered in one turn.
static void answer(const char *from, unsigned count, size_t len)
{
    uint8_t bytes[2000];
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(i);
    struct usher_datagram datagram = {.from = at(from), .to = at(inside4), .bytes = bytes, .len = len};
    for (unsigned i = 0; i < count; i++)
        assert_true(usher_session_datagram(bench->sessions[0].session, &datagram));
}

// The next packet: `count` answers of `piece` bytes, the last of `last`.
static void expect_train(const char *from, unsigned count, size_t piece, size_t last)
{
    struct endpoint src = at(from);
    size_t len = (count - 1) * piece + last;
    assert_true(kernel_get(bench));
    assert_true(address_equal(&bench->view.src, &src.addr));
    assert_int_equal(take16(bench->view.upper + 4), 8 + len);
    assert_int_equal(bench->view.upper_len, 8 + len);
    for (unsigned i = 0; i < count; i++)
        assert_pattern(bench->view.upper + 8 + i * piece, i + 1 < count ? piece : last);
    assert_int_equal(bench->vnet.flags, bench->tun.offload ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0);
    assert_int_equal(bench->vnet.gso_type, count > 1 ? 5 : 0); // UDP_L4
    assert_int_equal(bench->vnet.gso_size, count > 1 ? piece : 0);
}

static void test_answers_in_a_row_are_one_packet(void **state)
{
    (void)state;
    static const char server[] = "10.73.0.1:9", other[] = "10.73.0.2:9";
    bench->tun.uso = true;
    kernel_send_udp(bench, inside4, server, 1);
    kernel_send_udp(bench, inside4, other, 1);
    bench_run(bench);
    answer(server, 5, 100);
    answer(server, 2, 40);
    answer(other, 1, 40);
    answer(server, 70, 10);
    answer(server, 2, BENCH_MTU - 28);
    answer(server, 1, 0);
    answer(server, 2, BENCH_MTU - 27);
    bench_run(bench);
    expect_train(server, 6, 100, 40); // the last may be shorter, and then it is the last
    expect_train(server, 1, 40, 40);
    expect_train(other, 1, 40, 40);
    expect_train(server, 64, 10, 10);
    expect_train(server, 6, 10, 10);
    expect_train(server, 2, BENCH_MTU - 28, BENCH_MTU - 28);
    expect_train(server, 1, 0, 0);
    expect_train(server, 1, BENCH_MTU - 27, BENCH_MTU - 27); // each to be cut, so each alone
    expect_train(server, 1, BENCH_MTU - 27, BENCH_MTU - 27);
    assert_false(kernel_get(bench));

    bench->tun.uso = false;
    answer(server, 2, 100);
    bench_run(bench);
    expect_train(server, 1, 100, 100);
    expect_train(server, 1, 100, 100);
    assert_false(kernel_get(bench));
}

// Each of a train that the kernel refuses is tried by itself, and from then on there are none.
static void test_a_kernel_that_refuses_trains(void **state)
{
    (void)state;
    static const char server[] = "10.73.0.1:9";
    int device = bench->tun.fd, refuses = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); // EINVAL to whoever writes
    bench->tun.uso = true;
    kernel_send_udp(bench, inside4, server, 1);
    bench_run(bench);
    uint64_t lost = capture_counters(bench->capture)->packets_lost;
    answer(server, 5, 100);
    bench->tun.fd = refuses;
    bench_run(bench);
    bench->tun.fd = device;
    assert_int_equal(capture_counters(bench->capture)->packets_lost, lost + 5);
    answer(server, 2, 100);
    bench_run(bench);
    expect_train(server, 1, 100, 100);
    expect_train(server, 1, 100, 100);
    assert_false(kernel_get(bench));
    close(refuses);
}

// Data that came before the end of its association is there before the error.
static void test_the_last_answers_come_first(void **state)
{
    (void)state;
    static const char server[] = "10.73.0.1:9";
    bench->tun.uso = true;
    kernel_send_udp(bench, inside4, server, 1);
    bench_run(bench);
    answer(server, 3, 100);
    // Into the same feed as the reset, which would overtake what is still queued: what was pulled is on its way.
    static uint8_t room[65536];
    size_t len = usher_engine_pull(bench->gate, room, sizeof room, clock_now());
    usher_session_reset(bench->sessions[0].session, USHER_REFUSED, "connection refused");
    len += usher_engine_pull(bench->gate, room + len, sizeof room - len, clock_now());
    struct chunk *chunk = chunk_new(bench->chunks);
    memcpy(chunk->bytes, room, len);
    const struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
    usher_engine_feed(bench->portal, &slice, clock_now());
    chunk_drop(chunk);
    bench_run(bench);
    expect_train(server, 3, 100, 100);
    expect_error(bench, "10.73.0.1", 3, 4);
}

// Half of max_flows, 32, and another quarter of that may be ending.
static void ask(int from, int to)
{
    char inside[32];
    for (int i = from; i < to; i++) {
        snprintf(inside, sizeof inside, "10.9.0.1:%d", 2000 + i);
        kernel_send_udp(bench, inside, "10.73.0.1:9", 1);
    }
}

static void test_limit(void **state)
{
    (void)state;
    const struct capture_counters *counters = capture_counters(bench->capture);
    bench->hold = true;
    ask(0, 41);
    bench_run(bench);
    assert_int_equal(bench->opened, 40);
    assert_int_equal(counters->associations_gave_way, 8);
    assert_int_equal(counters->flows_refused, 1); // nobody is left who could give way
    for (unsigned i = 0; i < 40; i++)
        usher_session_accept(bench->sessions[i].session);
    bench_run(bench);
    assert_int_equal(exchange_flows(bench->exchange), 32);
    for (unsigned i = 0; i < 40; i++) { // the eight that were there first were closed in order
        assert_int_equal(!bench->sessions[i].session, i < 8);
        assert_int_equal(bench->sessions[i].datagrams, i >= 8);
    }
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(bench->sessions[i].ending, USHER_ENDED_CLOSED);
}

static void test_who_gives_way_first(void **state)
{
    (void)state;
    uint8_t byte = pattern(0);
    ask(0, 32);
    bench_run(bench);
    reply(&bench->sessions[0], "10.73.0.1:9", "10.9.0.1:2000", &byte, 1);
    reply(&bench->sessions[2], "10.73.0.1:53", "10.9.0.1:2002", &byte, 1);
    static const unsigned order[] = {2, 1, 3}; // done; not answered, the one idle for longest
    for (unsigned i = 0; i < COUNT(order); i++) {
        ask(32 + (int)i, 33 + (int)i);
        bench_run(bench);
        assert_null(bench->sessions[order[i]].session);
        assert_int_equal(bench->opened, 33 + i);
    }
    assert_non_null(bench->sessions[0].session);
    assert_int_equal(capture_counters(bench->capture)->flows_refused, 0);
}

static void test_what_is_no_flow(void **state)
{
    (void)state;
    kernel_send_udp(bench, inside4, "224.0.0.251:5353", 5);
    kernel_send_udp(bench, inside4, "255.255.255.255:67", 5);
    kernel_send_udp(bench, inside6, "[ff02::fb]:5353", 5);
    kernel_send_udp(bench, inside6, "[fe80::1]:9", 5);
    bench_run(bench);
    const struct capture_counters *counters = capture_counters(bench->capture);
    assert_int_equal(counters->packets_in, 4);
    assert_int_equal(counters->unsupported, 0);
    kernel_send_udp(bench, "224.0.0.1:5", "10.73.0.1:9", 5); // no host is that
    kernel_send(bench, NULL, "garbage", 7);
    uint8_t packet[64];
    struct endpoint src = at(inside4), dst = at("10.73.0.1:9");
    put_ip(packet, &src.addr, &dst.addr, IPPROTO_GRE, 20);
    kernel_send(bench, NULL, packet, 40);
    bench_run(bench);
    assert_int_equal(counters->malformed, 2);
    assert_int_equal(counters->unsupported, 1);
    static const uint8_t segment[2000];
    kernel_send_cut(bench, &src.addr, &dst.addr, IPPROTO_TCP, segment, sizeof segment);
    bench_run(bench);
    assert_int_equal(counters->fragments, 2);
    assert_int_equal(counters->fragments_dropped, 2);
    assert_int_equal(bench->opened, 0);
    assert_false(kernel_get(bench));
}

struct seen {
    unsigned count;
    struct flow_info info;
    char state[32];
};

static void see(void *arg, const struct flow_info *info)
{
    struct seen *seen = arg;
    seen->count++;
    seen->info = *info;
    snprintf(seen->state, sizeof seen->state, "%s", info->state);
}

static void test_listing(void **state)
{
    (void)state;
    struct seen seen = {0};
    uint8_t byte = 0;
    kernel_send_udp(bench, inside4, "10.73.0.1:9", 50);
    bench_run(bench);
    reply(&bench->sessions[0], "10.73.0.1:9", inside4, &byte, 1);
    exchange_each_flow(bench->exchange, see, &seen, clock_now() + 5 * USEC_PER_SEC);
    struct endpoint from = at(inside4), to = at("10.73.0.1:9");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.info.protocol, IPPROTO_UDP);
    assert_true(endpoint_equal(&seen.info.inside, &from));
    assert_true(endpoint_equal(&seen.info.outside, &to));
    assert_string_equal(seen.state, "active");
    assert_int_equal(seen.info.bytes_out, 50);
    assert_int_equal(seen.info.bytes_in, 1);
    assert_true(seen.info.age >= 5 * USEC_PER_SEC && seen.info.age < 15 * USEC_PER_SEC);
}

#define TEST(name)         cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_DOWN(name)    cmocka_unit_test_setup_teardown(name, setup_without_tunnel, teardown)
#define TEST_OFFLOAD(name) cmocka_unit_test_setup_teardown(name, setup_offload, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_socket_three_servers_one_session),
        TEST(test_v6_has_one_session_a_far_end),
        TEST(test_sizes_outwards),
        TEST(test_sizes_inwards),
        TEST(test_early_datagrams_are_bounded),
        cmocka_unit_test(test_early_datagrams_of_all),
        TEST(test_refusals),
        TEST(test_failure_is_remembered_for_a_second),
        TEST(test_denied_first_destination),
        TEST(test_reset_quotes_the_latest),
        TEST(test_each_datagram_has_its_own_error),
        TEST_DOWN(test_waits_for_a_tunnel),
        TEST(test_lost_tunnel),
        TEST(test_idle),
        TEST(test_checksums),
        TEST(test_lengths_that_lie),
        TEST_OFFLOAD(test_super_packet),
        TEST_OFFLOAD(test_answers_in_a_row_are_one_packet),
        TEST_OFFLOAD(test_a_kernel_that_refuses_trains),
        TEST_OFFLOAD(test_the_last_answers_come_first),
        TEST(test_limit),
        TEST(test_who_gives_way_first),
        TEST(test_what_is_no_flow),
        TEST(test_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
