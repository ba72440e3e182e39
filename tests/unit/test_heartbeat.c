// SPDX-License-Identifier: GPL-2.0-or-later
#include "usher/heartbeat.h"

#include "unit.h"

#define AT(seconds) ((seconds)*USEC_PER_SEC)

static void beats_after_ten_seconds_of_own_silence(void **state)
{
    struct heartbeat h;
    (void)state;
    heartbeat_init(&h, true, AT(100));
    assert_int_equal(heartbeat_deadline(&h), AT(110));
    assert_true(heartbeat_check(&h, AT(110) - 1));
    assert_false(h.due);
    assert_true(heartbeat_check(&h, AT(110)));
    assert_true(h.due);
    assert_int_equal(heartbeat_deadline(&h), AT(130)); // one beat waits: no more until it has gone
    heartbeat_sent(&h, AT(111));
    assert_false(h.due);
    assert_int_equal(heartbeat_deadline(&h), AT(121));
}

static void gives_up_after_thirty_seconds_of_silence(void **state)
{
    struct heartbeat h;
    (void)state;
    heartbeat_init(&h, true, AT(100));
    heartbeat_sent(&h, AT(125));
    assert_int_equal(heartbeat_deadline(&h), AT(130));
    assert_true(heartbeat_check(&h, AT(130) - 1));
    assert_false(heartbeat_check(&h, AT(130)));
    heartbeat_received(&h, AT(130));
    assert_true(heartbeat_check(&h, AT(130)));
    assert_int_equal(heartbeat_deadline(&h), AT(135));
}

static void without_the_agreement_silence_is_legal(void **state)
{
    struct heartbeat h;
    (void)state;
    heartbeat_init(&h, false, AT(100));
    assert_int_equal(heartbeat_deadline(&h), USEC_NEVER);
    assert_true(heartbeat_check(&h, AT(100000)));
    assert_false(h.due);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beats_after_ten_seconds_of_own_silence),
        cmocka_unit_test(gives_up_after_thirty_seconds_of_silence),
        cmocka_unit_test(without_the_agreement_silence_is_legal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
