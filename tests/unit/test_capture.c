// SPDX-License-Identifier: GPL-2.0-or-later
// Capture as the program's loop sees it: how much it reads at once, when it asks for a turn, and a device that goes.
#include "capture_bench.h"

#include <fcntl.h>

static void test_reading_leaves_the_tunnel_its_turn(void **state)
{
    (void)state;
    struct bench *bench = bench_new(false, 64, HOLD_MS);
    bench_connect(bench);
    for (int i = 0; i < 150; i++)
        kernel_send_udp(bench, "10.9.0.1:5000", "10.73.0.1:9", 1);
    uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(capture_counters(bench->capture)->packets_in, 64);
    assert_true(bench->wakes > 0);
    uv_run(&bench->loop, UV_RUN_NOWAIT);
    uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(capture_counters(bench->capture)->packets_in, 150);
    bench_free(bench);
}

// Nothing but the timer wakes the loop for what only time brings about.
static void test_timer_asks_for_a_turn(void **state)
{
    (void)state;
    enum { SHORT_MS = 50 };
    struct bench *bench = bench_new(false, 64, SHORT_MS);
    kernel_send_udp(bench, "10.9.0.1:5000", "10.73.0.1:9", 1);
    bench_run(bench);
    usec_t begin = clock_now();
    while (!kernel_get(bench)) {
        uv_run(&bench->loop, UV_RUN_ONCE);
        exchange_after_pull(bench->exchange, false, clock_now());
        assert_true(clock_now() - begin < 10 * USEC_PER_SEC);
    }
    assert_int_equal(bench->view.protocol, IPPROTO_ICMP);
    bench_free(bench);
}

// A pipe without a reader reports what a deleted TUN device does: an error condition.
static void test_device_is_gone(void **state)
{
    (void)state;
    int ends[2];
    uv_loop_t loop;
    struct fault fault;
    struct bench owner = {0};
    const struct capture_config config = {.mtu = BENCH_MTU, .max_flows = 16, .receive_budget = 1 << 20};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    struct tun tun = {.fd = ends[1], .name = "pipe"};
    struct capture *capture = capture_new(&loop, &tun, &config, &fault);
    assert_non_null(capture);
    const struct exchange_config around = {.hold_ms = HOLD_MS, .wake = bench_wake, .owner = &owner};
    struct exchange *exchange = exchange_new(&loop, &around);
    exchange_add(exchange, capture_edge(capture));
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_false(capture_is_gone(capture));
    close(ends[0]);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(capture_is_gone(capture));
    assert_int_equal(owner.wakes, 1);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(owner.wakes, 1); // and is silent from then on
    exchange_free(exchange);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(ends[1]);
}

static void test_descriptor_that_cannot_be_watched(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct fault fault = {0};
    const struct capture_config config = {.mtu = BENCH_MTU, .max_flows = 16};
    assert_int_equal(uv_loop_init(&loop), 0);
    struct tun tun = {.fd = open("/etc/passwd", O_RDONLY), .name = "file"};
    assert_null(capture_new(&loop, &tun, &config, &fault));
    assert_non_null(strstr(fault.text, "tun file: "));
    close(tun.fd);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_leaves_the_tunnel_its_turn),
        cmocka_unit_test(test_timer_asks_for_a_turn),
        cmocka_unit_test(test_device_is_gone),
        cmocka_unit_test(test_descriptor_that_cannot_be_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
