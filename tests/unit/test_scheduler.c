// SPDX-License-Identifier: GPL-2.0-or-later
// Who is pulled when: control before data, sparse before bulk, bulk in fair turns, and no room wasted on crumbs.
#include "usher/scheduler.h"

#include "scripted.h"
#include "usher/transmit.h"

enum { FLOWS = 8, RECORD = CHUNK_SIZE };

struct fixture {
    struct script *script;
    struct edge *flows[FLOWS]; // ids 1, 3, ...
};

static int set_up(void **state)
{
    struct usher_engine_config config = script_config();
    struct fixture *f = memory_new(sizeof *f);
    f->script = script_new(&config);
    for (uint16_t i = 0; i < FLOWS; i++) {
        f->flows[i] = accept_active(f->script, (uint16_t)(2 * i + 1), USHER_TCP);
        for (int acks = 0; acks < 200; acks++)
            feed_ack(f->script, (uint16_t)(2 * i + 1), 65535);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    script_free(f->script);
    free(f);
    return 0;
}

static void give(struct edge *flow, size_t len)
{
    flow->to_send += len;
    usher_session_ready(flow->session);
}

// One pull of a full record, and whose it was: the index of the flow.
static size_t pull_record(struct script *script)
{
    unsigned id, len;
    assert_int_equal(sscanf(pull(script), "send %u [%u]", &id, &len), 2);
    return id / 2;
}

static void control_comes_first(void **state)
{
    struct fixture *f = *state;
    give(f->flows[0], 100);
    usher_session_reset(f->flows[1]->session, USHER_FAILED, "x");
    feed_open(f->script, 101, USHER_TCP);
    usher_session_accept(f->script->edges[FLOWS].session);
    assert_string_equal(pull(f->script), "rst 3 failed: x; reply 101 = 101; send 1 [100]");
}

static void control_comes_between_bulk_records(void **state)
{
    struct fixture *f = *state;
    give(f->flows[0], 1000000);
    for (int i = 0; i < 5; i++)
        pull(f->script);
    usher_session_reset(f->flows[1]->session, USHER_FAILED, "x");
    assert_string_equal(pull(f->script), "rst 3 failed: x; send 1 [16358]");
}

static void bulk_flows_take_turns_of_a_quantum(void **state)
{
    struct fixture *f = *state;
    size_t first, owner = 0;
    for (size_t i = 0; i < 3; i++)
        give(f->flows[i], 10 << 20);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pull_record(f->script), i); // the first turn of each is one record
    first = 0;
    for (size_t turn = 0; turn < 9; turn++) {
        owner = pull_record(f->script);
        assert_int_equal(owner, (first + turn) % 3);
        for (int i = 1; i < SCHEDULER_QUANTUM / RECORD; i++)
            assert_int_equal(pull_record(f->script), owner);
    }
}

static void bulk_flows_get_equal_shares(void **state)
{
    struct fixture *f = *state;
    size_t bytes[FLOWS] = {0};
    for (size_t i = 0; i < FLOWS; i++)
        give(f->flows[i], 12 << 20);
    for (int i = 0; i < 2000; i++) {
        unsigned id, len;
        f->script->now += 100;
        // Rooms of every size: a flow must not gain by where its records fall.
        assert_int_equal(sscanf(pull_into(f->script, 9000 + (size_t)i % 7 * 1100), "send %u [%u]", &id, &len), 2);
        bytes[id / 2] += len;
    }
    for (size_t i = 1; i < FLOWS; i++) {
        assert_true(bytes[i] + SCHEDULER_QUANTUM + RECORD >= bytes[0]);
        assert_true(bytes[i] <= bytes[0] + SCHEDULER_QUANTUM + RECORD);
    }
}

static void a_sparse_flow_does_not_wait_for_bulk(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 1; i < FLOWS; i++)
        give(f->flows[i], 4 << 20);
    for (size_t i = 1; i < FLOWS; i++)
        pull(f->script); // the first turn of each
    for (int i = 0; i < 100; i++) {
        f->script->now += USEC_PER_MSEC;
        pull(f->script);
        give(f->flows[0], 200);
        assert_memory_equal(pull(f->script), "send 1 [200]; ", 14);
    }
}

static void many_sparse_flows_do_not_starve_bulk(void **state)
{
    struct fixture *f = *state;
    give(f->flows[0], 8 << 20);
    pull(f->script);
    for (int i = 0; i < 300; i++) {
        f->script->now += 4 * USEC_PER_MSEC;
        for (size_t flow = 1; flow < FLOWS; flow++)
            if (f->flows[flow]->to_send == 0) // more in all than is pulled, and each below the mark
                give(f->flows[flow], 8000);
        for (int pulls = 0; pulls < 3; pulls++)
            pull(f->script);
    }
    assert_true(usher_session_sent(f->flows[0]->session) > 300 * 3 * CHUNK_SIZE / 16);
    assert_true(usher_session_sent(f->flows[0]->session) < 300 * 3 * CHUNK_SIZE / 3);
}

static void too_much_makes_a_flow_bulk_until_it_rests(void **state)
{
    struct fixture *f = *state;
    give(f->flows[1], 4 << 20);
    for (int i = 0; i < 3; i++)
        pull(f->script);
    give(f->flows[0], SCHEDULER_SPARSE_BYTES);
    assert_int_equal(pull_record(f->script), 0);
    pull(f->script); // it has no more
    give(f->flows[0], 200);
    assert_int_equal(pull_record(f->script), 1); // it has to queue now
    for (int i = 0; i < 10; i++)
        pull(f->script); // its turn comes, and the next, in which it has nothing
    assert_int_equal(f->flows[0]->to_send, 0);
    f->script->now += SCHEDULER_SPARSE_WINDOW;
    pull(f->script);
    give(f->flows[0], 200);
    assert_int_equal(pull_record(f->script), 0);
}

static void a_backlog_on_a_slow_link_stays_bulk(void **state)
{
    struct fixture *f = *state;
    give(f->flows[0], 1 << 20);
    give(f->flows[1], 1 << 20);
    for (int i = 0; i < 6; i++)
        pull(f->script);
    for (int i = 0; i < 20; i++) {
        f->script->now += 100 * USEC_PER_MSEC; // one record in 100 ms: few bytes in 4 ms, yet no sparse flow
        pull(f->script);
        give(f->flows[2], 10);
        f->script->now += 100 * USEC_PER_MSEC;
        assert_memory_equal(pull(f->script), "send 5 [10]; ", 13);
    }
}

static void interactive_while_something_sparse_is_about(void **state)
{
    struct fixture *f = *state;
    struct usher_engine *engine = f->script->engine;
    assert_false(usher_engine_is_interactive(engine, f->script->now));
    give(f->flows[0], 10);
    assert_true(usher_engine_is_interactive(engine, f->script->now));
    pull(f->script);
    assert_true(usher_engine_is_interactive(engine, f->script->now + SCHEDULER_SPARSE_WINDOW - 1));
    assert_false(usher_engine_is_interactive(engine, f->script->now + SCHEDULER_SPARSE_WINDOW));
    f->script->now += USEC_PER_SEC;
    give(f->flows[1], 4 << 20);
    pull(f->script);
    assert_false(usher_engine_is_interactive(engine, f->script->now)); // bulk alone
}

static void no_crumbs(void **state)
{
    struct fixture *f = *state;
    give(f->flows[0], CHUNK_SIZE - USHER_HEADER_SIZE - TRANSMIT_CRUMB + 1);
    give(f->flows[1], 1 << 20);
    assert_string_equal(pull(f->script), "send 1 [15353]"); // 1,023 bytes are left: not worth a record
    assert_string_equal(pull(f->script), "send 3 [16376]");
    while (f->flows[1]->to_send > 0)
        pull(f->script);
    give(f->flows[1], 1 << 20);
    assert_string_equal(pull_into(f->script, USHER_PULL_MIN), "send 3 [504]"); // a small room is all there is
}

static void small_records_share_a_room(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < 4; i++)
        give(f->flows[i], 10 + i);
    assert_string_equal(pull(f->script), "send 1 [10]; send 3 [11]; send 5 [12]; send 7 [13]");
}

static void datagrams_and_streams_share(void **state)
{
    struct fixture *f = *state;
    struct edge *udp = accept_active(f->script, 101, USHER_UDP);
    static uint8_t bytes[1200];
    struct usher_datagram datagram = {.bytes = bytes, .len = sizeof bytes};
    size_t stream = 0;
    const struct usher_counters *counters = usher_engine_counters(f->script->engine);
    give(f->flows[0], 12 << 20);
    for (int i = 0; i < 400; i++) {
        uint8_t room[CHUNK_SIZE];
        for (int n = 0; n < 30; n++)
            usher_session_datagram(udp->session, &datagram);
        usher_engine_pull(f->script->engine, room, sizeof room, f->script->now);
    }
    stream = usher_session_sent(f->flows[0]->session);
    size_t flood = counters->datagrams_sent * (sizeof bytes + USHER_DATAGRAM_FIXED + USHER_HEADER_SIZE);
    assert_true(stream > 400 * CHUNK_SIZE * 4 / 10);
    assert_true(flood > 400 * CHUNK_SIZE * 4 / 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(control_comes_first),
        TEST(control_comes_between_bulk_records),
        TEST(bulk_flows_take_turns_of_a_quantum),
        TEST(bulk_flows_get_equal_shares),
        TEST(a_sparse_flow_does_not_wait_for_bulk),
        TEST(many_sparse_flows_do_not_starve_bulk),
        TEST(too_much_makes_a_flow_bulk_until_it_rests),
        TEST(a_backlog_on_a_slow_link_stays_bulk),
        TEST(interactive_while_something_sparse_is_about),
        TEST(no_crumbs),
        TEST(small_records_share_a_room),
        TEST(datagrams_and_streams_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
