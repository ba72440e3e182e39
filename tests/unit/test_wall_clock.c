// SPDX-License-Identifier: GPL-2.0-or-later
// The clock is set by a microsecond and back, which is a setting for the kernel and no harm to anybody else.
#include "os/wall_clock.h"
#include "unit.h"

#include <sys/timex.h>

static unsigned settings;

static void count(void *owner)
{
    settings++;
    uv_stop(owner);
}

static void give_up(uv_timer_t *timer)
{
    uv_stop(timer->data);
}

static bool set_clock(bool back)
{
    struct timex little = {.modes = ADJ_SETOFFSET, .time = {.tv_sec = back ? -1 : 0, .tv_usec = back ? 999999 : 1}};
    return adjtimex(&little) >= 0;
}

static void each_setting_is_told(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_timer_t timer;
    struct fault fault;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    timer.data = &loop;
    struct wall_clock *clock = wall_clock_watch(&loop, count, &loop, &fault);
    assert_non_null(clock);
    uv_timer_start(&timer, give_up, 50, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(settings, 0);
    bool may_set = true;
    for (unsigned i = 0; may_set && i < 4; i++) {
        may_set = set_clock(i & 1);
        uv_timer_start(&timer, give_up, may_set ? 5000 : 0, 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(settings, may_set ? i + 1 : 0);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    wall_clock_free(clock);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    if (!may_set) {
        print_message("the clock may not be set here\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_setting_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
