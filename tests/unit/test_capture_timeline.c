// SPDX-License-Identifier: GPL-2.0-or-later
// Timelines: order, dating at the end of the turn, expiry.
#include "edge/capture/timeline.h"

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

static void test_oldest_expires_first(void **state)
{
    (void)state;
    assert_true(timeline_deadline(&line) == USEC_NEVER);
    timeline_put(&line, &a);
    timeline_settle(&line, 10);
    timeline_put(&line, &b);
    timeline_put(&line, &c);
    timeline_settle(&line, 20);
    assert_int_equal(timeline_deadline(&line), 110);
    assert_null(timeline_expired(&line, 109));
    assert_ptr_equal(timeline_expired(&line, 115), &a);
    assert_null(timeline_expired(&line, 115));
    assert_ptr_equal(timeline_expired(&line, 120), &b);
    assert_ptr_equal(timeline_expired(&line, 120), &c);
    assert_null(timeline_expired(&line, USEC_NEVER));
}

static void test_put_again_begins_anew(void **state)
{
    (void)state;
    timeline_put(&line, &a);
    timeline_put(&line, &b);
    timeline_settle(&line, 10);
    timeline_put(&line, &a);
    timeline_settle(&line, 60);
    assert_ptr_equal(timeline_expired(&line, 110), &b);
    assert_null(timeline_expired(&line, 159));
    assert_ptr_equal(timeline_expired(&line, 160), &a);
}

static void test_undated_never_expires(void **state)
{
    (void)state;
    timeline_put(&line, &a);
    assert_null(timeline_expired(&line, USEC_NEVER - 1));
    assert_ptr_equal(timeline_pop(&line), &a);
    assert_null(timeline_pop(&line));
}

static void test_moves_between_lines(void **state)
{
    (void)state;
    struct timeline other;
    timeline_init(&other, 5);
    timeline_put(&line, &a);
    timeline_settle(&line, 0);
    timeline_put(&other, &a);
    timeline_settle(&other, 1);
    assert_null(timeline_pop(&line));
    assert_ptr_equal(timeline_expired(&other, 6), &a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_oldest_expires_first, setup),
        cmocka_unit_test_setup(test_put_again_begins_anew, setup),
        cmocka_unit_test_setup(test_undated_never_expires, setup),
        cmocka_unit_test_setup(test_moves_between_lines, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
