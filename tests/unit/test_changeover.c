// SPDX-License-Identifier: GPL-2.0-or-later
// When a tunnel is left for a newer certificate, and when it is not.
#include "cli/changeover.h"
#include "config/validity.h"

#include "unit.h"

#include <time.h>

static void the_moment(void **state)
{
    static const struct {
        const char *name;
        uint64_t life, begun; // seconds
        uint32_t chance;
        uint64_t before; // the end, ms
    } cases[] = {
        {"825 days", 825 * 86400, 0, 0, 3600 * 1000},
        {"an hour and a quarter at most", 825 * 86400, 0, 1023, 3600 * 1000 + 899121},
        {"an hour's life", 3600, 0, 0, 600 * 1000},
        {"the last sixth of what was left", 3600, 3000, 0, 100 * 1000},
        {"twelve seconds", 12, 0, 0, 2000},
        {"over already", 12, 13, 7, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        usec_t until = (1000000 + cases[i].life) * USEC_PER_SEC, now = (1000000 + cases[i].begun) * USEC_PER_SEC;
        usec_t at = validity_moment_to_leave(until, now, cases[i].chance);
        CASE(cases[i].name, (until - at) / USEC_PER_MSEC == cases[i].before);
    }
}

static void due(void *owner)
{
    ++*(unsigned *)owner;
}

static void over(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

// Ends of the tunnel's certificate and of the newest, ms from now; 0: nobody says. How often it is due within 150 ms.
static unsigned run(int64_t tunnel, int64_t newest, int64_t next_tunnel)
{
    uv_loop_t loop;
    uv_timer_t end;
    unsigned count = 0;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    usec_t wall = (usec_t)now.tv_sec * USEC_PER_SEC + (usec_t)now.tv_nsec / 1000;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct changeover *changeover = changeover_new(&loop, due, &count);
    if (tunnel)
        changeover_tunnel(changeover, wall + (usec_t)(tunnel * (int64_t)USEC_PER_MSEC));
    if (newest)
        changeover_certificate(changeover, wall + (usec_t)(newest * (int64_t)USEC_PER_MSEC));
    if (next_tunnel)
        changeover_tunnel(changeover, wall + (usec_t)(next_tunnel * (int64_t)USEC_PER_MSEC));
    uv_timer_init(&loop, &end);
    uv_timer_start(&end, over, 150, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    changeover_free(changeover);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return count;
}

static void once_and_only_for_a_newer_one(void **state)
{
    static const struct {
        const char *name;
        int64_t tunnel, newest, next_tunnel;
        unsigned count;
    } cases[] = {
        {"soon over, and a newer one", 100, 100000, 0, 1},
        {"over already", -100, 100000, 0, 1},
        {"soon over, and none newer", 100, 100, 0, 0},
        {"soon over, and nobody knows", 100, 0, 0, 0},
        {"an older one", 100, 50, 0, 0},
        {"long to go", 100000, 200000, 0, 0},
        {"no tunnel", 0, 100000, 0, 0},
        {"there is another tunnel", 100, 100000, 100000, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, run(cases[i].tunnel, cases[i].newest, cases[i].next_tunnel) == cases[i].count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_moment),
        cmocka_unit_test(once_and_only_for_a_newer_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
