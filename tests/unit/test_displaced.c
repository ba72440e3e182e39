// SPDX-License-Identifier: GPL-2.0-or-later
// Who is displaced again and again waits longer each time, and who is left in peace begins anew.
#include "link/path/displaced.h"

#include "unit.h"

static void test_waits(void **state)
{
    (void)state;
    static const struct {
        bool replaced;
        unsigned lasted_s;
        bool is;
        uint32_t wait_ms;
    } steps[] = {
        {true, 3, false, 0},      // once is nothing
        {true, 3, true, 4000},    // twice is a fight
        {true, 50, true, 8000},   // of which half a minute's peace is a part
        {true, 70, true, 16000},  // up for less than a minute and twice the last wait
        {true, 70, true, 32000},  //
        {true, 120, true, 60000}, // no longer than a minute
        {true, 170, true, 60000}, //
        {true, 190, false, 0},    // in peace for long enough
        {true, 1, true, 4000},    // but displaced it was
        {false, 1, false, 0},     // lost in another way
        {true, 1, false, 0},      //
    };
    struct displaced displaced = {0};
    for (size_t i = 0; i < COUNT(steps); i++) {
        displaced_judge(&displaced, steps[i].replaced, steps[i].lasted_s * (usec_t)USEC_PER_SEC);
        assert_int_equal(displaced.is, steps[i].is);
        assert_int_equal(displaced.wait_ms, steps[i].wait_ms);
    }
}

static void test_spread(void **state)
{
    (void)state;
    const struct displaced displaced = {.is = true, .wait_ms = 4000};
    assert_int_equal(displaced_wait(&displaced, 0), 3000);
    assert_int_equal(displaced_wait(&displaced, 1999), 4999);
    assert_int_equal(displaced_wait(&displaced, 2000), 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
