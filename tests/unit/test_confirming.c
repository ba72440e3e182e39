// SPDX-License-Identifier: GPL-2.0-or-later
#include "usher/confirming.h"

#include "unit.h"

#define AT(ms) ((ms)*USEC_PER_MSEC)

static struct confirming agreed(void)
{
    struct confirming c;
    confirming_init(&c);
    confirming_received(&c, 3, 100, AT(0));
    confirming_agree(&c, AT(0));
    return c;
}

static void counts_from_the_first_record(void **state)
{
    (void)state;
    struct confirming c;
    confirming_init(&c);
    confirming_received(&c, 70000, 1 << 20, AT(0));
    assert_true(!c.due && confirming_size(&c) == 0 && confirming_deadline(&c) == USEC_NEVER);
    confirming_agree(&c, AT(10));
    assert_int_equal(confirming_size(&c), UINT16_MAX);
    confirming_sent(&c, UINT16_MAX);
    assert_int_equal(confirming_size(&c), 70000 - UINT16_MAX);
    confirming_sent(&c, 70000 - UINT16_MAX);
    assert_true(confirming_size(&c) == 0 && confirming_deadline(&c) == USEC_NEVER);
}

static void due_in_time(void **state)
{
    (void)state;
    struct confirming c = agreed();
    confirming_received(&c, 4, 10, AT(30));
    assert_int_equal(confirming_deadline(&c), AT(100));
    assert_false(c.due || confirming_goes_along(&c, AT(49)));
    assert_true(confirming_goes_along(&c, AT(50)));
    confirming_check(&c, AT(100) - 1);
    assert_false(c.due);
    confirming_check(&c, AT(100));
    assert_true(c.due && confirming_size(&c) == 4);
    assert_int_equal(confirming_deadline(&c), USEC_NEVER); // it waits already
    confirming_sent(&c, 4);
    assert_false(c.due);
    confirming_received(&c, 5, 10, AT(400));
    assert_int_equal(confirming_deadline(&c), AT(500));
}

static void due_for_bytes(void **state)
{
    (void)state;
    struct confirming c = agreed();
    confirming_sent(&c, 3);
    confirming_received(&c, 11, CONFIRMING_BYTES / 2 - 1, AT(1));
    assert_false(confirming_goes_along(&c, AT(1)));
    confirming_received(&c, 12, 1, AT(1));
    assert_true(confirming_goes_along(&c, AT(1)) && !c.due);
    confirming_received(&c, 19, CONFIRMING_BYTES / 2, AT(1));
    assert_false(c.due);
    assert_int_equal(confirming_deadline(&c), AT(2)); // a millisecond after the first that it speaks for
    confirming_check(&c, AT(2));
    assert_true(c.due && confirming_size(&c) == 16);
    // A part of it leaves the rest due.
    confirming_sent(&c, 10);
    assert_true(c.due && confirming_size(&c) == 6);
}

// Confirmations of confirmations would go on for ever; they are told with what comes next.
static void session_0_calls_for_nothing(void **state)
{
    (void)state;
    struct confirming c = agreed();
    confirming_sent(&c, 3);
    c.quiet++;
    confirming_received(&c, 4, 10, AT(1));
    assert_int_equal(confirming_deadline(&c), USEC_NEVER);
    confirming_check(&c, AT(1000));
    assert_false(c.due);
    confirming_received(&c, 5, 10, AT(2000));
    assert_int_equal(confirming_deadline(&c), AT(2100));
    assert_int_equal(confirming_size(&c), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_from_the_first_record),
        cmocka_unit_test(due_in_time),
        cmocka_unit_test(due_for_bytes),
        cmocka_unit_test(session_0_calls_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
