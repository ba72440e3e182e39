// SPDX-License-Identifier: GPL-2.0-or-later
// Captured pings from the application's kernel to the gate's session and back.
#include "capture_bench.h"

static struct bench *bench;

static int setup(void **state)
{
    (void)state;
    bench = bench_new(false, 64, HOLD_MS);
    bench_connect(bench);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_free(bench);
    return 0;
}

static const struct {
    const char *inside;
    const char *outside;
    uint8_t protocol;
    uint8_t reply;
} families[] = {
    {"10.9.0.1", "10.73.0.1", IPPROTO_ICMP, 0},
    {"fd09::1", "fd73::1", IPPROTO_ICMPV6, 129},
};

static void answer(struct gate_session *gate, uint16_t seq)
{
    struct usher_datagram datagram = {
        .from = {.addr = gate->open.addr, .port = gate->open.port},
        .to = {.addr = gate->latest.from.addr, .port = seq},
        .bytes = gate->bytes,
        .len = gate->len,
    };
    assert_true(usher_session_datagram(gate->session, &datagram));
    bench_run(bench);
}

static void expect_reply(size_t family, uint16_t id, uint16_t seq, size_t len)
{
    struct address from, to;
    assert_true(address_parse(&from, families[family].outside) && address_parse(&to, families[family].inside));
    assert_true(from.version == 4 ? kernel_get(bench) : kernel_get_whole(bench));
    const struct packet_view *view = &bench->view;
    assert_int_equal(view->protocol, families[family].protocol);
    assert_true(address_equal(&view->src, &from) && address_equal(&view->dst, &to));
    assert_int_equal(take16(view->upper), families[family].reply << 8);
    assert_int_equal(take16(view->upper + 4), id);
    assert_int_equal(take16(view->upper + 6), seq);
    assert_int_equal(view->upper_len, 8 + len);
    assert_pattern(view->upper + 8, len);
    uint64_t sum = from.version == 4 ? 0 : checksum_pseudo(&from, &to, view->protocol, view->upper_len);
    assert_int_equal(checksum_fold(checksum_add(sum, view->upper, view->upper_len)), 0);
}

static void test_ping(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT(families); f++) {
        struct gate_session *gate = &bench->sessions[f];
        for (uint16_t seq = 1; seq <= 3; seq++) {
            kernel_send_ping(bench, families[f].inside, families[f].outside, 0x4321, seq, 56);
            bench_run(bench);
            assert_int_equal(bench->opened, f + 1);
            assert_int_equal(gate->open.protocol, families[f].protocol);
            assert_int_equal(gate->open.port, 0x4321);
            assert_int_equal(gate->datagrams, seq);
            assert_int_equal(gate->latest.from.port, 0x4321);
            assert_int_equal(gate->latest.to.port, seq);
            assert_int_equal(gate->len, 56);
            answer(gate, seq);
            expect_reply(f, 0x4321, seq, 56);
        }
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 1472, 1473, 8000, 65507};
    for (size_t f = 0; f < COUNT(families); f++)
        for (uint16_t i = 0; i < COUNT(sizes); i++) {
            kernel_send_ping(bench, families[f].inside, families[f].outside, 7, i, sizes[i]);
            bench_run(bench);
            assert_int_equal(bench->sessions[f].datagrams, i + 1);
            assert_int_equal(bench->sessions[f].len, sizes[i]);
            assert_pattern(bench->sessions[f].bytes, sizes[i]);
            answer(&bench->sessions[f], i);
            expect_reply(f, 7, i, sizes[i]);
        }
}

static void test_session_for_each_identifier_and_host(void **state)
{
    (void)state;
    kernel_send_ping(bench, "10.9.0.1", "10.73.0.1", 1, 1, 8);
    kernel_send_ping(bench, "10.9.0.1", "10.73.0.2", 1, 1, 8);
    kernel_send_ping(bench, "10.9.0.1", "10.73.0.1", 2, 1, 8);
    kernel_send_ping(bench, "10.9.0.2", "10.73.0.1", 1, 1, 8);
    kernel_send_ping(bench, "10.9.0.1", "10.73.0.1", 1, 2, 8);
    bench_run(bench);
    assert_int_equal(bench->opened, 4);
    assert_int_equal(bench->sessions[0].datagrams, 2);
}

static void test_unreachable_and_silent(void **state)
{
    (void)state;
    bench->word = USHER_UNREACHABLE;
    bench->text = "host unreachable";
    for (size_t f = 0; f < COUNT(families); f++) {
        kernel_send_ping(bench, families[f].inside, families[f].outside, 1, 1, 8);
        bench_run(bench);
        expect_error(bench, families[f].outside, 1, 3);
    }
    bench->text = NULL;
    for (size_t f = 0; f < COUNT(families); f++) {
        kernel_send_ping(bench, families[f].inside, families[f].outside, 2, 1, 8);
        bench_run(bench);
        assert_false(kernel_get(bench)); // no answer: silence
        usher_session_reset(bench->sessions[2 + f].session, USHER_UNREACHABLE, "host unreachable");
        bench_run(bench);
        expect_error(bench, families[f].outside, 1, 3);
    }
    assert_false(kernel_get(bench));
}

static void test_idle_after_30_seconds(void **state)
{
    (void)state;
    kernel_send_ping(bench, "10.9.0.1", "10.73.0.1", 1, 1, 8);
    bench_run(bench);
    bench_later(bench, 29500);
    bench_run(bench);
    assert_non_null(bench->sessions[0].session);
    bench_later(bench, 30000);
    bench_run(bench);
    assert_null(bench->sessions[0].session);
    assert_int_equal(bench->sessions[0].ending, USHER_ENDED_CLOSED);
}

// The peer never answers our close: the session is reset after a while, and nothing is left.
static void test_close_that_is_not_answered(void **state)
{
    (void)state;
    kernel_send_ping(bench, "10.9.0.1", "10.73.0.1", 1, 1, 8);
    bench_run(bench);
    bench_later(bench, 30000);
    assert_int_equal(exchange_flows(bench->exchange), 1);
    bench_later(bench, 39500);
    assert_int_equal(exchange_flows(bench->exchange), 1);
    bench_later(bench, 40100);
    assert_int_equal(exchange_flows(bench->exchange), 0);
    bench_run(bench);
    assert_null(bench->sessions[0].session);
}

static void send_message(size_t family, uint8_t type, uint8_t code, bool right_checksum)
{
    uint8_t packet[64] = {0};
    struct address src, dst;
    assert_true(address_parse(&src, families[family].inside) && address_parse(&dst, families[family].outside));
    size_t ip = put_ip(packet, &src, &dst, families[family].protocol, 16);
    packet[ip] = type;
    packet[ip + 1] = code;
    put_checksum(packet + ip, 2, &src, &dst, families[family].protocol, 16);
    packet[ip + 10] ^= right_checksum ? 0 : 1;
    kernel_send(bench, NULL, packet, ip + 16);
    bench_run(bench);
}

static void test_what_is_no_ping(void **state)
{
    (void)state;
    const struct capture_counters *counters = capture_counters(bench->capture);
    send_message(0, 13, 0, true);  // timestamp
    send_message(0, 0, 0, true);   // a reply
    send_message(0, 8, 1, true);   // an echo with a code
    send_message(1, 133, 0, true); // router solicitation
    send_message(1, 8, 0, true);   // version 4's number in version 6
    assert_int_equal(counters->unsupported, 5);
    send_message(0, 8, 0, false);
    send_message(1, 128, 0, false);
    assert_int_equal(counters->bad_checksum, 2);
    assert_int_equal(bench->opened, 0);
    send_message(0, 8, 0, true);
    send_message(1, 128, 0, true);
    assert_int_equal(bench->opened, 2);
}

// ICMPv6 in an IPv4 packet, and one that ends within its header.
static void test_malformed(void **state)
{
    (void)state;
    uint8_t packet[64] = {0};
    struct address src, dst;
    assert_true(address_parse(&src, "10.9.0.1") && address_parse(&dst, "10.73.0.1"));
    put_ip(packet, &src, &dst, IPPROTO_ICMPV6, 16);
    kernel_send(bench, NULL, packet, 36);
    put_ip(packet, &src, &dst, IPPROTO_ICMP, 7);
    kernel_send(bench, NULL, packet, 27);
    bench_run(bench);
    assert_int_equal(capture_counters(bench->capture)->malformed, 2);
    assert_int_equal(bench->opened, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ping),
        TEST(test_sizes),
        TEST(test_session_for_each_identifier_and_host),
        TEST(test_unreachable_and_silent),
        TEST(test_idle_after_30_seconds),
        TEST(test_close_that_is_not_answered),
        TEST(test_what_is_no_ping),
        TEST(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
