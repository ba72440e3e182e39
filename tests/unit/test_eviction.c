// SPDX-License-Identifier: GPL-2.0-or-later
#include "session_fixture.h"
#include "usher/eviction.h"

enum { KIB = 1024, BUDGET = 100 * KIB };

static int set_up_with_budget(void **state)
{
    struct usher_engine_config config = script_config();
    config.held_budget = BUDGET;
    struct fixture *fixture = fixture_new(&config);
    fixture->script->answer = ANSWER_ACCEPT;
    *state = fixture;
    return 0;
}

#define TEST_WITH_BUDGET(name) cmocka_unit_test_setup_teardown(name, set_up_with_budget, tear_down)

// The peer opens session `id` and sends so much; its edge takes it at once or not at all. A second passes.
static struct edge *hold(struct script *script, uint16_t id, size_t len)
{
    struct edge *edge = &script->edges[script->edge_count];
    feed_open(script, id, USHER_TCP);
    pull(script);
    feed_send(script, id, len);
    edge->log.text[0] = '\0';
    script->now += USEC_PER_SEC;
    return edge;
}

static uint64_t evicted(const struct script *script)
{
    return usher_engine_counters(script->engine)->sessions_evicted;
}

static void nobody_within_the_budget(void **state)
{
    struct script *script = ((struct fixture *)*state)->script;
    hold(script, 1, 50 * KIB);
    hold(script, 3, 50 * KIB);
    assert_int_equal(evicted(script), 0);
    assert_int_equal(usher_engine_sessions(script->engine), 2);
}

// 102 KiB are held. The one that waits for longest and those that wait half as long go until 87.5 KiB are left.
static void who_stands_still_for_longest(void **state)
{
    struct script *script = ((struct fixture *)*state)->script;
    struct edge *first = hold(script, 1, 10 * KIB);
    struct edge *second = hold(script, 3, 10 * KIB);
    struct edge *third = hold(script, 5, 50 * KIB);
    struct edge *last = hold(script, 7, 20 * KIB);
    pull(script);
    feed_send(script, 7, 12 * KIB);
    assert_int_equal(evicted(script), 2);
    EXPECT_LOG(first, "ended(reset limit: " EVICTION_REASON ")");
    EXPECT_LOG(second, "ended(reset limit: " EVICTION_REASON ")");
    EXPECT_LOG(third, "");
    assert_null(strstr(last->log.text, "ended"));
    const char *pulled = pull(script);
    assert_non_null(strstr(pulled, "rst 1 "));
    assert_non_null(strstr(pulled, "rst 3 "));
    assert_non_null(strstr(pulled, "limit: " EVICTION_REASON));
    assert_int_equal(usher_engine_sessions(script->engine), 2);
}

// One that takes a little now and then is not standing still, however much it holds.
static void not_who_moves(void **state)
{
    struct script *script = ((struct fixture *)*state)->script;
    struct edge *slow = hold(script, 1, 60 * KIB);
    struct edge *stopped = hold(script, 3, 30 * KIB);
    script->now += 10 * USEC_PER_SEC;
    pull(script);
    usher_session_consumed(slow->session, 1);
    hold(script, 5, 20 * KIB);
    EXPECT_LOG(slow, "");
    EXPECT_LOG(stopped, "ended(reset limit: " EVICTION_REASON ")");
}

// Waiting begins with the first byte that is held: an hour without any is no offence.
static void not_who_was_idle(void **state)
{
    struct script *script = ((struct fixture *)*state)->script;
    struct edge *idle = &script->edges[0];
    idle->consume = true;
    hold(script, 1, 10 * KIB);
    script->now += 3600 * USEC_PER_SEC;
    struct edge *stopped = hold(script, 3, 60 * KIB);
    idle->consume = false;
    feed_send(script, 1, 50 * KIB);
    EXPECT_LOG(idle, "data[16376] data[16384] data[16384] data[2056]");
    EXPECT_LOG(stopped, "ended(reset limit: " EVICTION_REASON ")");
}

// Whoever waits for longest may hold next to nothing: the next in line goes too, and the bound holds.
static void as_many_as_it_takes(void **state)
{
    struct script *script = ((struct fixture *)*state)->script;
    hold(script, 1, 10);
    script->now += 60 * USEC_PER_SEC;
    hold(script, 3, 60 * KIB);
    struct edge *last = hold(script, 5, 60 * KIB);
    assert_int_equal(evicted(script), 2);
    EXPECT_LOG(last, "");
    EXPECT_STATE(last, "active");
}

static void what_is_over_holds_nothing(void **state)
{
    struct script *script = ((struct fixture *)*state)->script;
    for (uint16_t id = 1; id < 100; id += 2) {
        hold(script, id, 60 * KIB);
        feed_rst(script, id, "failed: gone");
    }
    hold(script, 101, 60 * KIB);
    assert_int_equal(evicted(script), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_BUDGET(nobody_within_the_budget),
        TEST_WITH_BUDGET(who_stands_still_for_longest),
        TEST_WITH_BUDGET(not_who_moves),
        TEST_WITH_BUDGET(not_who_was_idle),
        TEST_WITH_BUDGET(as_many_as_it_takes),
        TEST_WITH_BUDGET(what_is_over_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
