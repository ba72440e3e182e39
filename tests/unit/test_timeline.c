// SPDX-License-Identifier: GPL-2.0-or-later
// Timelines: order, beginning anew, expiry, and the first deadline of several.
#include "base/timeline.h"

#include "unit.h"

static struct timeline line;
static struct timed a, b, c;

static int setup(void **state)
{
    (void)state;
    timeline_init(&line, 100);
    list_init(&a.node);
    list_init(&b.node);
    list_init(&c.node);
    return 0;
}

static usec_t ms(unsigned moment)
{
    return moment * USEC_PER_MSEC;
}

static void test_oldest_expires_first(void **state)
{
    (void)state;
    assert_true(timelines_deadline(&line, 1, ms(10)) == USEC_NEVER);
    timeline_put(&line, &a, 10);
    timeline_put(&line, &b, 20);
    timeline_put(&line, &c, 20);
    assert_int_equal(timelines_deadline(&line, 1, ms(20)), ms(110));
    assert_null(timeline_expired(&line, 109));
    assert_ptr_equal(timeline_expired(&line, 115), &a);
    assert_null(timeline_expired(&line, 115));
    assert_ptr_equal(timeline_expired(&line, 120), &b);
    assert_ptr_equal(timeline_expired(&line, 120), &c);
    assert_null(timeline_expired(&line, 1000));
}

static void test_put_again_begins_anew(void **state)
{
    (void)state;
    timeline_put(&line, &a, 10);
    timeline_put(&line, &b, 10);
    timeline_put(&line, &a, 60);
    assert_ptr_equal(timeline_expired(&line, 110), &b);
    assert_null(timeline_expired(&line, 159));
    assert_ptr_equal(timeline_expired(&line, 160), &a);
}

static void test_pop_asks_no_time(void **state)
{
    (void)state;
    assert_true(timeline_is_empty(&line));
    timeline_put(&line, &a, 10);
    assert_false(timeline_is_empty(&line));
    assert_ptr_equal(timeline_pop(&line), &a);
    assert_null(timeline_pop(&line));
}

static void test_moves_between_lines(void **state)
{
    (void)state;
    struct timeline other;
    timeline_init(&other, 5);
    timeline_put(&line, &a, 0);
    timeline_put(&other, &a, 1);
    assert_null(timeline_pop(&line));
    assert_ptr_equal(timeline_expired(&other, 6), &a);
}

static void test_first_of_several_lines(void **state)
{
    (void)state;
    struct timeline lines[3];
    for (unsigned i = 0; i < COUNT(lines); i++)
        timeline_init(&lines[i], 300 - 100 * i);
    timeline_put(&lines[0], &a, 10);
    timeline_put(&lines[1], &b, 50);
    assert_int_equal(timelines_deadline(lines, COUNT(lines), ms(60) + 999), ms(250));
    assert_int_equal(timelines_deadline(lines, COUNT(lines), ms(251)), ms(251)); // overdue
    timeline_put(&lines[2], &b, 60);
    assert_int_equal(timelines_deadline(lines, COUNT(lines), ms(60)), ms(160));
}

// The low 32 bits of the clock come round every 49 days.
static void test_the_clock_comes_round(void **state)
{
    (void)state;
    const usec_t late = UINT64_C(0xffffffff) * USEC_PER_MSEC;
    timeline_put(&line, &a, timeline_moment(late));
    assert_true(timelines_deadline(&line, 1, late) == late + ms(100));
    assert_null(timeline_expired(&line, timeline_moment(late + ms(99))));
    assert_ptr_equal(timeline_expired(&line, timeline_moment(late + ms(100))), &a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_oldest_expires_first, setup),
        cmocka_unit_test_setup(test_put_again_begins_anew, setup),
        cmocka_unit_test_setup(test_pop_asks_no_time, setup),
        cmocka_unit_test_setup(test_moves_between_lines, setup),
        cmocka_unit_test_setup(test_first_of_several_lines, setup),
        cmocka_unit_test_setup(test_the_clock_comes_round, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
