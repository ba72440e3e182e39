// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "link/path/backoff.h"

#include <limits.h>

static void test_steps(void **state)
{
    static const unsigned ms[] = {200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    (void)state;
    static const uint32_t randoms[] = {0, 1, 12345, UINT_MAX / 2, UINT_MAX};
    for (size_t r = 0; r < COUNT(randoms); r++) {
        struct backoff backoff = {0};
        for (size_t i = 0; i < COUNT(ms); i++)
            assert_in_range(backoff_next(&backoff, randoms[r]), ms[i] * 750, ms[i] * 1250);
        backoff_reset(&backoff);
        assert_in_range(backoff_next(&backoff, randoms[r]), 150000, 250000);
    }
}

// Both ends of the spread are reached.
static void test_spread(void **state)
{
    (void)state;
    struct backoff low = {0}, high = {0};
    assert_int_equal(backoff_next(&low, 0), 150000);
    assert_int_equal(backoff_next(&high, 100000), 250000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
