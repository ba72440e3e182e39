// SPDX-License-Identifier: GPL-2.0-or-later
// Rounding, moving in one direction only, ringing once, and stillness when it is stopped or closed.
#include "os/alarm.h"

#include "unit.h"

static uv_loop_t loop;
static struct alarm alarm_;
static int rings, closings;

static void rang(void *owner)
{
    assert_ptr_equal(owner, &rings);
    rings++;
}

static void closed(void *owner)
{
    assert_ptr_equal(owner, &closings);
    closings++;
}

static int start(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    alarm_init(&alarm_, &loop, rang, &rings);
    rings = closings = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    alarm_close(&alarm_, closed, &closings);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(closings, 1);
    return uv_loop_close(&loop);
}

// In how many ms the loop would hear it; -1: never.
static int left(void)
{
    return uv_is_active((uv_handle_t *)&alarm_.timer) ? (int)uv_timer_get_due_in(&alarm_.timer) : -1;
}

static int left_after(usec_t at, usec_t now)
{
    alarm_set(&alarm_, at, now);
    return left();
}

static void test_rounds_up(void **state)
{
    (void)state;
    static const struct {
        usec_t at, now;
        int ms;
    } cases[] = {
        {USEC_NEVER, 500, -1}, {70500, 500, 70}, {70501, 500, 71}, {71500, 500, 71},
        {501, 500, 1},         {500, 500, 0},    {400, 500, 0},    {0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        alarm_stop(&alarm_);
        assert_int_equal(left_after(cases[i].at, cases[i].now), cases[i].ms);
    }
}

static void test_only_moves_forwards(void **state)
{
    (void)state;
    assert_int_equal(left_after(50000, 0), 50);
    assert_int_equal(left_after(60000, 0), 50);
    assert_int_equal(left_after(USEC_NEVER, 0), 50);
    assert_int_equal(left_after(40000, 0), 40);
}

static void test_rings_once(void **state)
{
    (void)state;
    alarm_set(&alarm_, 2000, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(rings, 1);
    assert_int_equal(left(), -1);
    alarm_set(&alarm_, 9000, 8000); // anew, though later than before
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(rings, 2);
}

static void test_stopped_and_closed_it_is_still(void **state)
{
    (void)state;
    alarm_set(&alarm_, 0, 0);
    alarm_stop(&alarm_);
    uv_run(&loop, UV_RUN_DEFAULT);
    alarm_set(&alarm_, 0, 0);
    alarm_close(&alarm_, closed, &closings);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(rings, 0);
    assert_int_equal(closings, 1);
    alarm_init(&alarm_, &loop, NULL, NULL); // nobody listens: only the loop's sleep ends
    alarm_set(&alarm_, 0, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    closings = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rounds_up, start, stop),
        cmocka_unit_test_setup_teardown(test_only_moves_forwards, start, stop),
        cmocka_unit_test_setup_teardown(test_rings_once, start, stop),
        cmocka_unit_test_setup_teardown(test_stopped_and_closed_it_is_still, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
