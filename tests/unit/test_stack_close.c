// SPDX-License-Identifier: GPL-2.0-or-later
// How flows end: every order of half-closes, resets both ways, TIME_WAIT, silence, and that nothing is left behind.
#include "tcp_peer.h"
#include "unit.h"

#include <malloc.h>

static struct bench bench;
static uint8_t room[1 << 20];

static int start(void **state)
{
    (void)state;
    struct stack_config config = bench_config(&bench);
    bench = (struct bench){.key = bench.key};
    bench_start(&bench, &config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_stop(&bench);
    return 0;
}

static struct owner *connect_to(struct tcp_peer *peer, bool v6, uint16_t port)
{
    peer_init(peer, &bench, v6, port);
    return peer_connect(peer);
}

static void settle(struct tcp_peer *peer)
{
    bench_flush(&bench);
    peer_take_all(peer);
}

static bool ends_are_known(const struct owner *owner)
{
    struct stack_tuple tuple;
    return stack_flow_tuple(owner->flow, &tuple) && endpoint_equal(&tuple.inside, &owner->tuple.inside) &&
           endpoint_equal(&tuple.outside, &owner->tuple.outside);
}

static void the_application_closes_first(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct tcp_peer peer;
        struct owner *owner = connect_to(&peer, v6, 1000);
        peer_send(&peer, ACK | FIN, "request", 7);
        assert_int_equal(owner->finished, 1);
        assert_true(ends_are_known(owner));
        assert_int_equal(stack_flow_waiting(owner->flow), 7);
        bench_write(owner, "answer", 6); // the other half stays open
        settle(&peer);
        peer_send(&peer, ACK, NULL, 0);
        assert_int_equal(owner->acked, 6);
        stack_flow_finish(owner->flow);
        settle(&peer);
        assert_int_equal(peer.flags & FIN, FIN);
        peer_send(&peer, ACK, NULL, 0);
        assert_int_equal(owner->ended, 0); // seven bytes are not read
        assert_true(ends_are_known(owner));
        assert_int_equal(stack_flow_read(owner->flow, room, sizeof room), 7);
        bench_flush(&bench);
        assert_int_equal(owner->ended, 1);
        assert_int_equal(owner->ending, STACK_ENDED_CLOSED);
        assert_int_equal(stack_flows(bench.stack), 0);
        assert_int_equal(bench.count, 0);
        peer_free(&peer);
        free(owner);
    }
}

static void the_owner_finishes_first(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct tcp_peer peer;
        struct owner *owner = connect_to(&peer, v6, 1000);
        bench_write(owner, "banner", 6);
        stack_flow_finish(owner->flow);
        settle(&peer);
        assert_int_equal(peer.flags & FIN, FIN); // with the data
        assert_int_equal(peer.stream_len, 6);
        peer_send(&peer, ACK, NULL, 0);
        for (int i = 0; i < 40; i++) { // the application has much to say still
            peer_send(&peer, ACK, room, 60000);
            assert_int_equal(stack_flow_read(owner->flow, room, sizeof room), 60000);
            settle(&peer);
        }
        bench_pass(&bench, 600 * USEC_PER_SEC); // no hurry
        assert_int_equal(owner->ended, 0);
        peer_send(&peer, ACK | FIN, NULL, 0);
        assert_int_equal(owner->finished, 1);
        assert_int_equal(owner->ended, 1);
        assert_int_equal(owner->ending, STACK_ENDED_CLOSED);
        settle(&peer);
        assert_int_equal(peer.got_ack, peer.seq);
        bench_pass(&bench, 3 * USEC_PER_SEC);
        peer_free(&peer);
        free(owner);
    }
}

static void both_finish_at_once(void **state)
{
    (void)state;
    struct tcp_peer peer;
    struct owner *owner = connect_to(&peer, false, 1000);
    stack_flow_finish(owner->flow);
    bench_flush(&bench);
    peer_send(&peer, ACK | FIN, NULL, 0); // has not seen ours
    peer_take_all(&peer);
    assert_int_equal(owner->ended, 0);
    peer_send(&peer, ACK, NULL, 0);
    assert_int_equal(owner->ended, 1);
    assert_int_equal(owner->ending, STACK_ENDED_CLOSED);
    peer_free(&peer);
    free(owner);
}

// Finishing is remembered while the handshake lasts, and while the application takes its time with what was written.
static void a_finish_waits_for_what_is_before_it(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    peer_syn(&peer);
    struct owner *owner = bench.latest;
    stack_flow_accept(owner->flow);
    for (int i = 0; i < 3; i++)
        bench_write(owner, room, sizeof room);
    stack_flow_finish(owner->flow);
    settle(&peer);
    peer_send(&peer, ACK, NULL, 0);
    for (int i = 0; i < 100 && (peer.flags & FIN) == 0; i++) {
        settle(&peer);
        peer_send(&peer, ACK, NULL, 0);
    }
    assert_int_equal(peer.stream_len, 3 * sizeof room);
    assert_int_equal(owner->acked, 3 * sizeof room);
    peer_send(&peer, ACK | FIN, NULL, 0);
    assert_int_equal(owner->ended, 1);
    peer_free(&peer);
    free(owner);
}

static void a_reset_by_the_application_ends_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct tcp_peer peer;
        struct owner *owner = connect_to(&peer, i & 1, 1000);
        bench_write(owner, room, 300000);
        peer_send(&peer, ACK, "unread", 6);
        settle(&peer);
        if (i & 2)
            peer_send(&peer, RST, NULL, 0);
        else
            peer_send(&peer, RST | ACK, NULL, 0);
        assert_int_equal(owner->ended, 1);
        assert_int_equal(owner->ending, STACK_ENDED_RESET);
        bench_flush(&bench);
        assert_int_equal(bench.count, 0);
        assert_int_equal(chunk_pool_held(bench.chunks), 0);
        peer_free(&peer);
        free(owner);
    }
}

// RFC 5961 section 3.2.
static void a_reset_that_is_a_guess_is_challenged(void **state)
{
    (void)state;
    struct tcp_peer peer;
    struct owner *owner = connect_to(&peer, false, 1000);
    peer_send_at(&peer, RST, peer.seq + 100, NULL, 0, NULL, 0);
    settle(&peer);
    assert_int_equal(owner->ended, 0);
    assert_int_equal(peer.flags, ACK);
    assert_int_equal(peer.got_ack, peer.seq);
    peer_send_at(&peer, RST, peer.seq - 100, NULL, 0, NULL, 0);
    peer_send_at(&peer, RST, peer.seq + (100 << 20), NULL, 0, NULL, 0);
    settle(&peer);
    assert_int_equal(owner->ended, 0);
    stack_flow_abort(owner->flow);
    peer_free(&peer);
    free(owner);
}

static void an_abort_is_one_reset(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct tcp_peer peer;
        struct owner *owner = connect_to(&peer, i & 1, 1000);
        if (i & 2) {
            bench_write(owner, room, sizeof room);
            settle(&peer);
        }
        if (i & 4)
            peer_send(&peer, ACK, "unread", 6);
        stack_flow_abort(owner->flow);
        assert_int_equal(bench.count, 1);
        assert_true(peer_take(&peer));
        assert_int_equal(peer.flags, RST | ACK);
        assert_int_equal(peer.from, peer.ack); // what the application's kernel wants of a reset
        bench_flush(&bench);
        assert_int_equal(owner->ended, 0);
        assert_int_equal(stack_flows(bench.stack), 0);
        assert_int_equal(chunk_pool_held(bench.chunks), 0);
        peer_free(&peer);
        free(owner);
    }
}

static void an_abort_from_within_a_callback_is_safe(void **state)
{
    (void)state;
    struct tcp_peer peer;
    struct owner *owner = connect_to(&peer, false, 1000);
    owner->abort_when_readable = true;
    peer_send(&peer, ACK | FIN, "poison", 6);
    assert_int_equal(owner->finished, 0);
    assert_int_equal(owner->ended, 0);
    bench_flush(&bench);
    assert_int_equal(stack_flows(bench.stack), 0);
    peer_free(&peer);
    free(owner);
}

static void close_down(struct tcp_peer *peer, struct owner *owner)
{
    stack_flow_finish(owner->flow);
    settle(peer);
    peer_send(peer, ACK | FIN, NULL, 0);
    assert_int_equal(owner->ended, 1);
    settle(peer);
}

static void time_wait_answers_a_repeated_fin_and_ends(void **state)
{
    (void)state;
    struct tcp_peer peer;
    struct owner *owner = connect_to(&peer, false, 1000);
    close_down(&peer, owner);
    peer_send_at(&peer, ACK | FIN, peer.seq - 1, NULL, 0, NULL, 0);
    assert_int_equal(peer_take_all(&peer), 1);
    assert_int_equal(peer.flags, ACK);
    bench_pass(&bench, 2 * USEC_PER_SEC);
    assert_int_equal(stack_deadline(bench.stack), USEC_NEVER);
    peer_send_at(&peer, ACK | FIN, peer.seq - 1, NULL, 0, NULL, 0);
    assert_int_equal(peer_take_all(&peer), 1);
    assert_int_equal(peer.flags, RST);
    peer_free(&peer);
    free(owner);
}

static void a_syn_ends_time_wait(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct tcp_peer peer;
        struct owner *owner = connect_to(&peer, v6, 1000);
        close_down(&peer, owner);
        free(owner);
        owner = peer_connect(&peer);
        assert_int_equal(owner->ended, 0);
        stack_flow_abort(owner->flow);
        settle(&peer);
        peer_free(&peer);
        free(owner);
    }
}

static void time_wait_gives_way_at_the_limit(void **state)
{
    (void)state;
    bench_stop(&bench);
    struct stack_config config = bench_config(&bench);
    config.max_flows = 5;
    bench = (struct bench){.key = bench.key};
    bench_start(&bench, &config);
    for (uint16_t port = 1000; port < 1050; port++) {
        struct tcp_peer peer;
        struct owner *owner = connect_to(&peer, false, port);
        close_down(&peer, owner);
        peer_free(&peer);
        free(owner);
    }
    assert_int_equal(stack_counters(bench.stack)->syns_dropped, 0);
}

// A flow that an application left behind without a word is found out, one that is only silent is not.
static void silence_is_probed_after_two_hours(void **state)
{
    (void)state;
    for (int alive = 0; alive < 2; alive++) {
        struct tcp_peer peer;
        struct owner *owner = connect_to(&peer, alive, 1000);
        unsigned probes = 0;
        for (int second = 0; second < 16000 && owner->ended == 0; second += 5) {
            bench_pass(&bench, 5 * USEC_PER_SEC);
            while (peer_take(&peer)) {
                probes++;
                assert_int_equal(peer.from, (peer.flags & RST) != 0 ? peer.ack : peer.ack - 1);
                assert_in_range(second, 7195, 16000);
                if (alive)
                    peer_send(&peer, ACK, NULL, 0);
            }
        }
        assert_int_equal(owner->ended, !alive);
        assert_int_equal(probes, alive ? 2 : 10); // nine, and the reset
        if (alive)
            stack_flow_abort(owner->flow);
        settle(&peer);
        peer_free(&peer);
        free(owner);
    }
}

static void ten_thousand_flows_leave_nothing_behind(void **state)
{
    (void)state;
    enum { FLOWS = 10000, BYTES_EACH = 700 };
    static struct tcp_peer peers[FLOWS];
    static struct owner *owners[FLOWS];
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < FLOWS; i++) {
        peer_init(&peers[i], &bench, i % 2, (uint16_t)(1000 + i));
        owners[i] = peer_connect(&peers[i]);
    }
    assert_int_equal(stack_flows(bench.stack), FLOWS);
    size_t open = mallinfo2().uordblks - before - FLOWS * malloc_usable_size(owners[0]);
    if (mallinfo2().uordblks != 0) // a sanitiser's allocator does not count
        assert_in_range(open / FLOWS, 1, BYTES_EACH);
    for (int i = 0; i < FLOWS; i++) { // each still finds its own
        uint8_t word[2] = {(uint8_t)i, (uint8_t)(i >> 8)};
        peer_send(&peers[i], ACK | PSH, word, sizeof word);
        assert_int_equal(stack_flow_read(owners[i]->flow, room, 10), 2);
        assert_memory_equal(room, word, 2);
    }
    bench.indifferent = true;
    bench_pass(&bench, USEC_PER_SEC);
    for (int i = 0; i < FLOWS; i++) {
        if (i % 3 == 0)
            peer_send(&peers[i], RST, NULL, 0);
        else if (i % 3 == 1)
            stack_flow_abort(owners[i]->flow);
        else
            stack_flow_finish(owners[i]->flow);
    }
    bench_flush(&bench);
    for (int i = 2; i < FLOWS; i += 3) {
        peers[i].ack++;
        peer_send(&peers[i], ACK | FIN, NULL, 0);
        assert_int_equal(owners[i]->ending, STACK_ENDED_CLOSED);
    }
    assert_int_equal(stack_flows(bench.stack), 0);
    bench_pass(&bench, 3 * USEC_PER_SEC);
    assert_int_equal(stack_deadline(bench.stack), USEC_NEVER);
    for (int i = 0; i < FLOWS; i++)
        free(owners[i]);
    assert_in_range(mallinfo2().uordblks, 0, before + (1 << 19)); // the tables keep their size
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_application_closes_first, start, stop),
        cmocka_unit_test_setup_teardown(the_owner_finishes_first, start, stop),
        cmocka_unit_test_setup_teardown(both_finish_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_finish_waits_for_what_is_before_it, start, stop),
        cmocka_unit_test_setup_teardown(a_reset_by_the_application_ends_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_reset_that_is_a_guess_is_challenged, start, stop),
        cmocka_unit_test_setup_teardown(an_abort_is_one_reset, start, stop),
        cmocka_unit_test_setup_teardown(an_abort_from_within_a_callback_is_safe, start, stop),
        cmocka_unit_test_setup_teardown(time_wait_answers_a_repeated_fin_and_ends, start, stop),
        cmocka_unit_test_setup_teardown(a_syn_ends_time_wait, start, stop),
        cmocka_unit_test_setup_teardown(time_wait_gives_way_at_the_limit, start, stop),
        cmocka_unit_test_setup_teardown(silence_is_probed_after_two_hours, start, stop),
        cmocka_unit_test_setup_teardown(ten_thousand_flows_leave_nothing_behind, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
