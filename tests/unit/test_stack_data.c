// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes both ways: large segments, acknowledgements, windows, and memory.
#include "tcp_peer.h"
#include "unit.h"

enum { BIG = 3 << 20 };

static struct bench bench;
static uint8_t big[BIG];
static uint8_t room[BIG];

static void start_with(const struct stack_config *config)
{
    bench = (struct bench){.key = bench.key};
    bench_start(&bench, config);
}

static int start(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    struct stack_config config = bench_config(&bench);
    start_with(&config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_stop(&bench);
    return 0;
}

static size_t read_all(struct owner *owner, size_t at)
{
    size_t len;
    while ((len = stack_flow_read(owner->flow, room + at, sizeof room - at)) > 0)
        at += len;
    return at;
}

// Sends as much of `big` as the window allows, in segments of 64 KiB; returns what was sent.
static size_t upload(struct tcp_peer *peer, size_t from, size_t until)
{
    while (from < until && peer->edge - peer->seq > 0 && (int32_t)(peer->edge - peer->seq) > 0) {
        size_t piece = until - from < 65160 ? until - from : 65160;
        if (piece > peer->edge - peer->seq)
            piece = peer->edge - peer->seq;
        peer_send(peer, ACK | PSH, big + from, piece);
        from += piece;
    }
    return from;
}

static void end(struct tcp_peer *peer, struct owner *owner)
{
    if (owner->flow != NULL)
        stack_flow_abort(owner->flow);
    bench_flush(&bench);
    peer_take_all(peer);
    peer_free(peer);
    free(owner);
}

static void large_segments_arrive_whole(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, i & 1, (uint16_t)(1000 + i));
        peer.unverified = i & 2;
        struct owner *owner = peer_connect(&peer);
        size_t sent = 0, read = 0;
        unsigned packets = 0;
        for (int turn = 0; turn < 200 && read < BIG; turn++) {
            sent = upload(&peer, sent, BIG);
            read = read_all(owner, read);
            bench_flush(&bench);
            packets += peer_take_all(&peer);
        }
        assert_int_equal(read, BIG);
        assert_memory_equal(room, big, BIG);
        assert_in_range(packets, 1, BIG / 65160); // less than one for each of its segments
        end(&peer, owner);
    }
}

static void readable_is_said_once_until_all_is_read(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    peer_send(&peer, ACK | PSH, "one", 3);
    peer_send(&peer, ACK | PSH, "two", 3);
    assert_int_equal(owner->readable, 1);
    assert_int_equal(stack_flow_waiting(owner->flow), 6);
    assert_int_equal(stack_flow_read(owner->flow, room, 4), 4);
    peer_send(&peer, ACK | PSH, "three", 5);
    assert_int_equal(owner->readable, 1);
    assert_int_equal(stack_flow_read(owner->flow, room + 4, 100), 7);
    assert_memory_equal(room, "onetwothree", 11);
    peer_send(&peer, ACK | PSH, "four", 4);
    assert_int_equal(owner->readable, 2);
    end(&peer, owner);
}

static void large_writes_leave_in_large_segments(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, v6, 1000);
        struct owner *owner = peer_connect(&peer);
        unsigned packets = 0;
        bench_write(owner, big, BIG); // more than lwIP's send buffer
        for (int turn = 0; turn < 200 && owner->acked < BIG; turn++) {
            bench_flush(&bench);
            while (peer_take(&peer)) {
                packets++;
                assert_int_equal(peer.vnet.gso_type, v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
                assert_int_equal(peer.vnet.gso_size, v6 ? 1440 : PEER_MSS);
                assert_int_equal(peer.vnet.hdr_len, v6 ? 60 : 40);
            }
            peer_send(&peer, ACK, NULL, 0);
        }
        assert_int_equal(owner->acked, BIG);
        assert_int_equal(peer.stream_len, BIG);
        assert_memory_equal(peer.stream, big, BIG);
        assert_in_range(packets, BIG / 65535, BIG / 60000);
        end(&peer, owner);
    }
    assert_int_equal(chunk_pool_held(bench.chunks), 0);
}

static void without_offload_packets_fit_the_device_and_are_summed(void **state)
{
    (void)state;
    bench_stop(&bench);
    struct stack_config config = bench_config(&bench);
    config.offload = false;
    config.mtu = 1400;
    start_with(&config);
    for (int v6 = 0; v6 < 2; v6++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, v6, 1000);
        struct owner *owner = peer_connect(&peer);
        for (size_t at = 0, piece = 1; at < 100000; at += piece, piece = piece % 1999 + 7)
            bench_write(owner, big + at, piece); // odd pieces: checksums over parts at odd offsets
        for (int turn = 0; turn < 200 && chunk_pool_held(bench.chunks) > 0; turn++) {
            bench_flush(&bench);
            while (peer_take(&peer)) {
                assert_int_equal(peer.vnet.flags, 0);
                assert_true(peer.view.header_len + peer.view.upper_len <= 1400);
            }
            peer_send(&peer, ACK, NULL, 0);
        }
        assert_in_range(peer.stream_len, 100000, 102000);
        assert_memory_equal(peer.stream, big, peer.stream_len);
        end(&peer, owner);
    }
}

// Many writes make one packet, also when it has more parts than are gathered.
static void small_writes_leave_together(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, true, 1000);
    struct owner *owner = peer_connect(&peer);
    for (size_t i = 0; i < 500; i++)
        bench_write(owner, big + 3 * i, 3);
    bench_flush(&bench);
    assert_int_equal(peer_take_all(&peer), 1);
    assert_int_equal(peer.stream_len, 1500);
    assert_memory_equal(peer.stream, big, 1500);
    peer_send(&peer, ACK, NULL, 0);
    assert_int_equal(owner->acked, 1500);
    for (size_t i = 0; i < 63; i++)
        bench_write(owner, big + 1500 + 1025 * i, 1025);
    bench_flush(&bench);
    assert_int_equal(peer_take_all(&peer), 1);
    assert_int_equal(peer.len, 63 * 1025);
    assert_memory_equal(peer.stream, big, peer.stream_len);
    end(&peer, owner);
}

static void an_answer_carries_the_acknowledgement(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    for (int i = 0; i < 5; i++) {
        peer_send(&peer, ACK | PSH, "question", 8);
        stack_flow_read(owner->flow, room, 8);
        bench_flush(&bench);
        bench_pass(&bench, USEC_PER_MSEC);
        assert_int_equal(bench.count, 0);
        bench_write(owner, "answer", 6);
        bench_flush(&bench);
        assert_int_equal(peer_take_all(&peer), 1);
        assert_int_equal(peer.got_ack, peer.seq);
        assert_int_equal(peer.len, 6);
    }
    peer_send(&peer, ACK | PSH, "remark", 6); // that nobody answers: acknowledged after 2 ms
    bench_flush(&bench);
    usec_t due = stack_deadline(bench.stack);
    assert_in_range(due - bench.now, 1, 2 * USEC_PER_MSEC);
    bench_pass(&bench, 2 * USEC_PER_MSEC);
    assert_int_equal(peer_take_all(&peer), 1);
    assert_int_equal(peer.got_ack, peer.seq);
    end(&peer, owner);
}

static void more_than_two_segments_are_acknowledged_at_once(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    peer_send(&peer, ACK, big, 2 * PEER_MSS + 1);
    assert_int_equal(bench.count, 0); // not before the turn ends
    bench_flush(&bench);
    assert_int_equal(peer_take_all(&peer), 1);
    assert_int_equal(peer.got_ack, peer.seq);
    end(&peer, owner);
}

static void a_blocked_link_holds_acknowledgements_for_a_while(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    peer_send(&peer, ACK, big, 60000);
    stack_flush(bench.stack, true, bench.now);
    assert_int_equal(bench.count, 0);
    usec_t due = stack_deadline(bench.stack);
    assert_in_range(due - bench.now, 30 * USEC_PER_MSEC, 40 * USEC_PER_MSEC);
    bench.now = due;
    stack_tick(bench.stack, bench.now);
    stack_flush(bench.stack, true, bench.now);
    assert_int_equal(peer_take_all(&peer), 1); // blocked or not
    assert_int_equal(peer.got_ack, peer.seq);

    peer_send(&peer, ACK, big, 60000);
    stack_flush(bench.stack, true, bench.now);
    assert_int_equal(bench.count, 0);
    read_all(owner, 0); // the link took them after all
    stack_flush(bench.stack, true, bench.now);
    assert_int_equal(peer_take_all(&peer), 1);
    assert_int_equal(peer.got_ack, peer.seq);
    end(&peer, owner);
}

static void windows_close_and_open_again(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct tcp_peer peer;
        peer_init(&peer, &bench, false, 1000);
        peer.plain = plain; // no window scaling: 64 KiB at most
        struct owner *owner = peer_connect(&peer);
        size_t sent = 0, read = 0, step = 10000;
        for (int turn = 0; turn < 20; turn++) { // nobody reads
            sent = upload(&peer, sent, BIG);
            bench_pass(&bench, 50 * USEC_PER_MSEC);
            peer_take_all(&peer);
        }
        assert_int_equal(peer.edge, peer.seq);
        assert_int_equal(stack_flow_waiting(owner->flow), sent);
        assert_in_range(sent, plain ? 60000 : 200000, plain ? 65535 : 262144);
        peer_send_at(&peer, ACK, peer.seq, big + sent, 1, NULL, 0); // a probe
        bench_pass(&bench, 3 * USEC_PER_MSEC);
        assert_int_equal(peer_take_all(&peer), 1);
        sent += peer.got_ack - peer.seq; // announced windows are rounded down: it may have fitted
        peer.seq = peer.got_ack;
        assert_int_equal(peer.edge, peer.seq);
        for (int turn = 0; turn < 3000 && read < BIG; turn++) { // a slow reader: every byte comes, none twice
            size_t len = stack_flow_read(owner->flow, room + read, step);
            read += len;
            bench_flush(&bench);
            peer_take_all(&peer);
            sent = upload(&peer, sent, BIG);
        }
        assert_int_equal(read, BIG);
        assert_memory_equal(room, big, BIG);
        end(&peer, owner);
    }
}

// The window grows as the flow is read, up to 1 MiB.
static void windows_grow_with_what_is_read(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    uint32_t widest = 0;
    for (size_t sent = 0; sent < BIG;) {
        sent = upload(&peer, sent, BIG);
        read_all(owner, 0);
        bench_flush(&bench);
        peer_take_all(&peer);
        widest = peer.edge - peer.seq > widest ? peer.edge - peer.seq : widest;
    }
    assert_in_range(widest, 1000000, 1048576);
    end(&peer, owner);
}

static void the_receive_budget_holds(void **state)
{
    (void)state;
    bench_stop(&bench);
    enum { PEERS = 40, BUDGET = 1 << 20 };
    struct stack_config config = bench_config(&bench);
    config.receive_budget = BUDGET;
    start_with(&config);
    static struct tcp_peer peers[PEERS];
    static struct owner *owners[PEERS];
    for (int i = 0; i < PEERS; i++) {
        peer_init(&peers[i], &bench, i % 2, (uint16_t)(1000 + i));
        owners[i] = peer_connect(&peers[i]);
    }
    size_t waiting = 0;
    for (int i = 0; i < PEERS; i++) {
        upload(&peers[i], 0, BIG);
        bench_flush(&bench);
        peer_take_all(&peers[i]);
        waiting += stack_flow_waiting(owners[i]->flow);
    }
    assert_in_range(waiting, BUDGET * 8 / 10, BUDGET);
    assert_int_not_equal(stack_counters(bench.stack)->over_budget, 0);
    // Once there is room, what was dropped is taken when it comes again.
    size_t read = 0;
    for (int i = 0; i < PEERS - 1; i++)
        read_all(owners[i], 0);
    struct tcp_peer *last = &peers[PEERS - 1];
    bench_flush(&bench);
    while (bench.count > 0)
        bench.count--;
    last->seq = 0x10000000u + 1000 + PEERS - 1 + 1;
    for (size_t sent = 0; read < 1 << 20;) {
        sent = upload(last, sent, 1 << 20);
        read = read_all(owners[PEERS - 1], read);
        bench_flush(&bench);
        peer_take_all(last);
    }
    assert_memory_equal(room, big, 1 << 20);
    bench.indifferent = true;
    for (int i = 0; i < PEERS; i++)
        end(&peers[i], owners[i]);
}

enum { CROWD = 40 };

static struct tcp_peer crowd[CROWD], newcomer;
static struct owner *crowd_owners[CROWD];

// More than the budget holds, from flows that nobody reads; then one more that has just come.
static struct owner *crowd_and_newcomer(void)
{
    bench_stop(&bench);
    struct stack_config config = bench_config(&bench);
    config.receive_budget = 1 << 20;
    start_with(&config);
    for (int i = 0; i < CROWD; i++) {
        peer_init(&crowd[i], &bench, i % 2, (uint16_t)(1000 + i));
        crowd_owners[i] = peer_connect(&crowd[i]);
        upload(&crowd[i], 0, 60000);
        bench_flush(&bench);
        peer_take_all(&crowd[i]);
    }
    assert_int_not_equal(stack_counters(bench.stack)->over_budget, 0);
    peer_init(&newcomer, &bench, false, 999);
    return peer_connect(&newcomer);
}

// How much of a piece of 60,000 bytes is taken.
static size_t newcomer_sends(struct owner *owner)
{
    peer_send(&newcomer, ACK | PSH, big, 60000);
    bench_flush(&bench);
    return stack_flow_waiting(owner->flow);
}

static unsigned crowd_evicted(void)
{
    unsigned evicted = 0;
    for (int i = 0; i < CROWD; i++)
        evicted += crowd_owners[i]->ended && crowd_owners[i]->ending == STACK_ENDED_EVICTED;
    return evicted;
}

static void end_crowd(struct owner *owner)
{
    bench.indifferent = true;
    bench.count = 0;
    end(&newcomer, owner);
    for (int i = 0; i < CROWD; i++)
        end(&crowd[i], crowd_owners[i]);
}

// Somebody who stands still for seconds gives way to a newcomer, and is told by a RST; no more than needed.
static void a_newcomer_finds_room(void **state)
{
    (void)state;
    struct owner *owner = crowd_and_newcomer();
    bench_pass(&bench, 5 * USEC_PER_SEC);
    bench.count = 0;
    assert_int_equal(newcomer_sends(owner), 60000);
    assert_in_range(crowd_evicted(), 2, 6);
    peer_take(&crowd[0]);
    assert_int_not_equal(crowd[0].flags & RST, 0);
    end_crowd(owner);
}

// A link that takes nothing is not their fault.
static void nobody_is_evicted_for_a_blocked_link(void **state)
{
    (void)state;
    struct owner *owner = crowd_and_newcomer();
    bench_pass(&bench, 10 * USEC_PER_SEC);
    stack_flush(bench.stack, true, bench.now);
    assert_int_equal(newcomer_sends(owner), 0);
    assert_int_equal(crowd_evicted(), 0);
    end_crowd(owner);
}

// On a link that is only slow everybody is read now and then: the newcomer waits, as on any full network.
static void who_moves_is_not_evicted(void **state)
{
    (void)state;
    struct owner *owner = crowd_and_newcomer();
    for (int i = 0; i < CROWD; i++) {
        bench_pass(&bench, USEC_PER_SEC / 4);
        stack_flow_read(crowd_owners[i]->flow, room, 1);
        stack_flow_read(crowd_owners[(i + CROWD / 2) % CROWD]->flow, room, 1);
    }
    assert_int_equal(newcomer_sends(owner), 0);
    assert_int_equal(crowd_evicted(), 0);
    end_crowd(owner);
}

static void segments_out_of_order_are_put_in_order(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    static const size_t cuts[] = {0, 100, 60000, 60001, 90000, 150000};
    static const uint8_t order[] = {4, 2, 1, 3, 0};
    uint32_t isn = peer.seq;
    for (size_t i = 0; i < COUNT(order); i++) {
        size_t from = cuts[order[i]], len = cuts[order[i] + 1] - from;
        peer_send_at(&peer, ACK, isn + (uint32_t)from, big + from, len, NULL, 0);
        bench_flush(&bench);
        if (i == 0) {
            assert_int_equal(peer_take_all(&peer), 1); // with SACK
            static const uint8_t sack[] = {1, 1, 5, 10};
            assert_memory_equal(peer.view.upper + 20, sack, sizeof sack);
            assert_int_equal(get32(peer.view.upper + 24), isn + 90000);
        }
        peer_take_all(&peer);
    }
    assert_int_equal(read_all(owner, 0), 150000);
    assert_memory_equal(room, big, 150000);
    end(&peer, owner);
}

static void a_device_that_refuses_packets_gets_them_later(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    peer_syn(&peer);
    struct owner *owner = bench.latest;
    stack_flow_accept(owner->flow);
    bench.blocked = true;
    bench_flush(&bench);
    assert_in_range(stack_deadline(bench.stack), bench.now, bench.now + 10 * USEC_PER_MSEC);
    bench.blocked = false;
    bench_flush(&bench);
    assert_int_equal(peer_take_all(&peer), 1);
    peer_send(&peer, ACK, NULL, 0);
    bench.blocked = true;
    bench_write(owner, big, 200000);
    peer_send(&peer, ACK, "data", 4);
    bench_flush(&bench);
    bench_flush(&bench);
    assert_int_equal(bench.count, 0);
    bench.blocked = false;
    for (int turn = 0; turn < 20 && owner->acked < 200000; turn++) {
        bench_flush(&bench);
        peer_take_all(&peer);
        peer_send(&peer, ACK, NULL, 0);
    }
    assert_int_equal(peer.stream_len, 200000);
    assert_memory_equal(peer.stream, big, 200000);
    assert_int_equal(peer.got_ack, peer.seq);
    end(&peer, owner);
}

static void what_is_not_acknowledged_is_sent_again(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    bench_write(owner, "lost", 4);
    bench_flush(&bench);
    bench.count = 0; // on the way
    bench_pass(&bench, 4 * USEC_PER_SEC);
    assert_true(peer_take(&peer));
    assert_memory_equal(peer.data, "lost", 4);
    peer_send(&peer, ACK, NULL, 0);
    assert_int_equal(owner->acked, 4);
    bench.count = 0;
    bench_pass(&bench, 600 * USEC_PER_SEC);
    assert_int_equal(bench.count, 0);
    end(&peer, owner);
}

static void a_closed_window_is_probed(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    bench_write(owner, ".", 1);
    bench_flush(&bench);
    peer_take_all(&peer);
    peer.window = 0;
    peer_send(&peer, ACK, NULL, 0);
    bench_write(owner, "patience", 8);
    bench_flush(&bench);
    assert_int_equal(bench.count, 0);
    bench_pass(&bench, 400 * USEC_PER_MSEC); // the second one comes after 900
    assert_true(peer_take(&peer));
    assert_int_equal(peer.len, 1);
    peer.ack--; // it had no room
    peer.stream_len--;
    peer.window = 0xffff;
    peer_send(&peer, ACK, NULL, 0);
    bench_flush(&bench);
    peer_take_all(&peer);
    assert_int_equal(peer.stream_len, 9);
    assert_memory_equal(peer.stream, ".patience", 9);
    end(&peer, owner);
}

// Idle flows cost no ticks, and small data that nobody reads no large buffers.
static void resting_flows_cost_nothing(void **state)
{
    (void)state;
    struct tcp_peer peer;
    peer_init(&peer, &bench, false, 1000);
    struct owner *owner = peer_connect(&peer);
    bench_pass(&bench, 200 * USEC_PER_MSEC);
    assert_true(stack_deadline(bench.stack) > bench.now + 3600 * USEC_PER_SEC);
    packet_pool_trim(bench.pool, 0);
    for (int i = 0; i < 1000; i++) {
        peer_send(&peer, ACK | PSH, big + i, 1);
        bench_flush(&bench); // the one buffer is back in the pool: another would not be found in it
    }
    bench_pass(&bench, 3 * USEC_PER_MSEC);
    assert_int_equal(peer_take_all(&peer) > 0, true);
    assert_int_equal(read_all(owner, 0), 1000);
    assert_memory_equal(room, big, 1000);
    peer_send(&peer, ACK | PSH, big, 60000);
    assert_int_equal(stack_flow_read(owner->flow, room, 59990), 59990);
    bench_flush(&bench); // what is left moves out of its large buffer
    peer_send(&peer, ACK | PSH, big, 3);
    bench_flush(&bench);
    assert_int_equal(read_all(owner, 0), 13);
    assert_memory_equal(room, big + 59990, 10);
    assert_memory_equal(room + 10, big, 3);
    end(&peer, owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_segments_arrive_whole, start, stop),
        cmocka_unit_test_setup_teardown(readable_is_said_once_until_all_is_read, start, stop),
        cmocka_unit_test_setup_teardown(large_writes_leave_in_large_segments, start, stop),
        cmocka_unit_test_setup_teardown(without_offload_packets_fit_the_device_and_are_summed, start, stop),
        cmocka_unit_test_setup_teardown(small_writes_leave_together, start, stop),
        cmocka_unit_test_setup_teardown(an_answer_carries_the_acknowledgement, start, stop),
        cmocka_unit_test_setup_teardown(more_than_two_segments_are_acknowledged_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_blocked_link_holds_acknowledgements_for_a_while, start, stop),
        cmocka_unit_test_setup_teardown(windows_close_and_open_again, start, stop),
        cmocka_unit_test_setup_teardown(windows_grow_with_what_is_read, start, stop),
        cmocka_unit_test_setup_teardown(the_receive_budget_holds, start, stop),
        cmocka_unit_test_setup_teardown(a_newcomer_finds_room, start, stop),
        cmocka_unit_test_setup_teardown(who_moves_is_not_evicted, start, stop),
        cmocka_unit_test_setup_teardown(nobody_is_evicted_for_a_blocked_link, start, stop),
        cmocka_unit_test_setup_teardown(segments_out_of_order_are_put_in_order, start, stop),
        cmocka_unit_test_setup_teardown(a_device_that_refuses_packets_gets_them_later, start, stop),
        cmocka_unit_test_setup_teardown(what_is_not_acknowledged_is_sent_again, start, stop),
        cmocka_unit_test_setup_teardown(a_closed_window_is_probed, start, stop),
        cmocka_unit_test_setup_teardown(resting_flows_cost_nothing, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
