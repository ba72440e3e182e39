// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "os/busy_poll.h"

struct rig {
    struct busy_poll poll;
    uint64_t bytes;
    usec_t now;
};

static bool look(struct rig *rig, usec_t gap, uint64_t moved)
{
    rig->now += gap;
    rig->bytes += moved;
    return busy_poll_wants(&rig->poll, rig->bytes, rig->now);
}

// Messages of 100 bytes at an equal distance; whether the loop is to stay awake after the last.
static bool exchange(struct rig *rig, unsigned messages, usec_t gap)
{
    bool wants = false;
    for (unsigned i = 0; i < messages; i++)
        wants = look(rig, gap, 100);
    return wants;
}

static void test_trust_is_earned(void **state)
{
    (void)state;
    struct rig rig = {.now = 1000000};
    assert_false(look(&rig, 0, 100)); // after a long silence
    assert_false(exchange(&rig, BUSY_POLL_TRUST - 1, 50));
    assert_true(exchange(&rig, 1, 50));
}

static void test_distance(void **state)
{
    static const struct {
        const char *name;
        usec_t gap;
        bool wants;
    } cases[] = {
        {"at once", 0, true},
        {"a near server", 60, true},
        {"a near server that takes long to wake", 300, true},
        {"the longest", BUSY_POLL_ASLEEP_USEC, true},
        {"too far", BUSY_POLL_ASLEEP_USEC + 1, false},
        {"a server across the town", 2000, false},
        {"heartbeats", 10000000, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig rig = {.now = 1000000};
        CASE(cases[i].name, exchange(&rig, 1000, cases[i].gap) == cases[i].wants);
    }
}

static void test_idle_is_asleep(void **state)
{
    (void)state;
    struct rig rig = {.now = 1000000};
    for (int i = 0; i < 1000; i++)
        assert_false(look(&rig, 1, 0));
}

static void test_the_wait_is_bounded(void **state)
{
    (void)state;
    struct rig rig = {.now = 1000000};
    assert_true(exchange(&rig, 100, 50));
    assert_true(look(&rig, BUSY_POLL_USEC, 0));
    assert_false(look(&rig, 1, 0));
    assert_false(look(&rig, 1, 0));
}

static void test_a_wrong_guess_is_paid_for(void **state)
{
    (void)state;
    struct rig rig = {.now = 1000000};
    assert_true(exchange(&rig, 100, 50));
    assert_false(look(&rig, BUSY_POLL_USEC + 1, 0));
    assert_false(exchange(&rig, 1, 5000));
    assert_false(exchange(&rig, BUSY_POLL_TRUST - 1, 50));
    assert_true(exchange(&rig, 1, 50));
}

// Somebody whose answers never come within the wait: what is spent on him, of all the time.
static void test_the_price_is_bounded(void **state)
{
    (void)state;
    enum { LOOK = 5, GAP = BUSY_POLL_ASLEEP_USEC, GAPS = 10000 };
    struct rig rig = {.now = 1000000};
    usec_t awake = 0;
    for (int i = 0; i < GAPS; i++) {
        usec_t left = GAP;
        bool wants = look(&rig, 0, 100);
        for (; wants && left > LOOK; left -= LOOK) {
            wants = look(&rig, LOOK, 0);
            awake += LOOK;
        }
        rig.now += left;
    }
    assert_true(awake > 0);
    assert_in_range(awake, 1, (usec_t)GAP * GAPS * 7 / 100);
}

static void test_bulk_sleeps(void **state)
{
    (void)state;
    struct rig rig = {.now = 1000000};
    exchange(&rig, 100, 50);
    assert_true(look(&rig, 50, BUSY_POLL_BULK));
    assert_false(look(&rig, 50, BUSY_POLL_BULK + 1));
    assert_false(exchange(&rig, BUSY_POLL_TRUST - 1, 50));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust_is_earned),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_idle_is_asleep),
        cmocka_unit_test(test_the_wait_is_bounded),
        cmocka_unit_test(test_a_wrong_guess_is_paid_for),
        cmocka_unit_test(test_the_price_is_bounded),
        cmocka_unit_test(test_bulk_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
