// SPDX-License-Identifier: GPL-2.0-or-later
#include "usher/credit.h"

#include "unit.h"
#include "usher/engine.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static struct credit_budget budget_of(uint64_t total, uint32_t window_max)
{
    return (struct credit_budget){.total = total, .window_max = window_max};
}

// The invariants of credit.h, after every step of every test.
static void check(const struct credit *c)
{
    assert_true(c->room <= CREDIT_OUTSTANDING_MAX);
    assert_true(c->held <= c->received);
    assert_true((uint64_t)c->held + c->allowance <= c->window);
}

// The peer sends as much as it may, we consume it at once and give back what is due: one round trip of a fast session.
static void round_trip(struct credit *c, struct credit_budget *budget, usec_t now)
{
    uint32_t len = c->allowance;
    assert_true(credit_receive(c, budget, len, now));
    check(c);
    credit_consume(c, budget, len, now);
    check(c);
    if (credit_is_due(c))
        credit_grant(c, credit_owed(c));
    check(c);
}

static void starts_with_64_kib_each_way(void **state)
{
    struct credit_budget budget = budget_of(0, USHER_WINDOW_MAX);
    struct credit c;
    (void)state;
    credit_init(&c, 0);
    assert_int_equal(credit_room(&c), 65536);
    assert_int_equal(credit_owed(&c), 0);
    assert_false(credit_receive(&c, &budget, 65537, 0));
    assert_true(credit_receive(&c, &budget, 65536, 0));
    assert_false(credit_receive(&c, &budget, 1, 0));
    check(&c);
}

static void spends_and_is_raised(void **state)
{
    struct credit c;
    (void)state;
    credit_init(&c, 0);
    credit_spend(&c, 65536);
    assert_int_equal(credit_room(&c), 0);
    assert_true(credit_raise(&c, 10));
    assert_int_equal(credit_room(&c), 10);
    assert_true(credit_raise(&c, 65535)); // ahead of what was sent: for good
    assert_int_equal(credit_room(&c), 65545);
    check(&c);
}

static void refuses_credit_beyond_2_31(void **state)
{
    struct credit c;
    (void)state;
    credit_init(&c, 0);
    while (credit_room(&c) + 65535 <= INT32_MAX)
        assert_true(credit_raise(&c, 65535));
    uint64_t room = credit_room(&c);
    assert_true(credit_raise(&c, (uint16_t)(INT32_MAX - room)));
    assert_int_equal(credit_room(&c), INT32_MAX);
    assert_false(credit_raise(&c, 1));
    assert_int_equal(credit_room(&c), INT32_MAX);
    credit_spend(&c, 1); // what is outstanding counts, not the sum
    assert_true(credit_raise(&c, 1));
}

static void owes_at_a_quarter(void **state)
{
    struct credit_budget budget = budget_of(0, USHER_WINDOW_MAX);
    struct credit c;
    (void)state;
    credit_init(&c, 0);
    assert_true(credit_receive(&c, &budget, 20000, 0));
    credit_consume(&c, &budget, 16383, 0);
    assert_false(credit_is_due(&c));
    credit_consume(&c, &budget, 1, 0);
    assert_true(credit_is_due(&c));
    assert_int_equal(credit_owed(&c), 16384);
    credit_grant(&c, 16384);
    assert_int_equal(credit_owed(&c), 0);
    check(&c);
}

static void bulk_gets_256_kib_early(void **state)
{
    struct credit_budget budget = budget_of(64 * MIB, USHER_WINDOW_MAX);
    struct credit c;
    (void)state;
    credit_init(&c, 0);
    assert_true(credit_receive(&c, &budget, 8 * KIB - 1, 0));
    assert_int_equal(c.window, 64 * KIB);
    assert_false(credit_is_due(&c));
    assert_true(credit_receive(&c, &budget, 1, 0));
    assert_int_equal(c.window, 256 * KIB);
    assert_true(credit_is_due(&c)); // nothing is consumed yet
    assert_int_equal(credit_owed(&c), 192 * KIB);
    assert_int_equal(budget.used, 192 * KIB);
    check(&c);
}

static void doubles_up_to_the_maximum(void **state)
{
    struct credit_budget budget = budget_of(64 * MIB, USHER_WINDOW_MAX);
    struct credit c;
    usec_t now = 0;
    (void)state;
    credit_init(&c, 0);
    for (int i = 0; i < 30; i++)
        round_trip(&c, &budget, now += 100 * USEC_PER_MSEC);
    assert_int_equal(c.window, USHER_WINDOW_MAX);
    assert_int_equal(budget.used, USHER_WINDOW_MAX - 64 * KIB);
    assert_int_equal(budget.grown, 1);
    credit_fini(&c, &budget);
    assert_int_equal(budget.used, 0);
    assert_int_equal(budget.grown, 0);
}

static void does_not_grow_for_a_slow_sender(void **state)
{
    struct credit_budget budget = budget_of(64 * MIB, USHER_WINDOW_MAX);
    struct credit c;
    usec_t now = 0;
    (void)state;
    credit_init(&c, 0);
    for (int i = 0; i < 30; i++)
        round_trip(&c, &budget, now += 2 * USEC_PER_SEC);
    assert_int_equal(c.window, 256 * KIB);
}

static void does_not_grow_for_a_slow_consumer(void **state)
{
    struct credit_budget budget = budget_of(64 * MIB, USHER_WINDOW_MAX);
    struct credit c;
    (void)state;
    credit_init(&c, 0);
    for (int i = 0; i < 100; i++) {
        assert_true(credit_receive(&c, &budget, c.allowance, 0));
        credit_consume(&c, &budget, 16 * KIB, 0);
        if (credit_is_due(&c))
            credit_grant(&c, credit_owed(&c));
        check(&c);
    }
    assert_int_equal(c.window, 256 * KIB);
}

// Past 2^32 bytes, and so often past the 2^16 KiB in which a measurement is kept.
static void counts_and_measures_for_ever(void **state)
{
    struct credit_budget budget = budget_of(64 * MIB, 1 * MIB);
    struct credit c;
    usec_t now = 0;
    uint64_t total = 0;
    (void)state;
    credit_init(&c, 0);
    while (total <= UINT32_MAX) {
        total += c.allowance;
        round_trip(&c, &budget, now += 5 * USEC_PER_SEC);
    }
    assert_int_equal(c.received, total);
    assert_int_equal(c.window, 256 * KIB);
    round_trip(&c, &budget, now += USEC_PER_MSEC);
    assert_int_equal(c.window, 512 * KIB);
    credit_spend(&c, USHER_WINDOW_START);
    for (int i = 0; i < 65540; i++) {
        assert_true(credit_raise(&c, UINT16_MAX));
        credit_spend(&c, UINT16_MAX);
    }
    assert_int_equal(c.sent, USHER_WINDOW_START + UINT64_C(65540) * UINT16_MAX);
}

static void respects_the_window_maximum(void **state)
{
    struct credit_budget budget = budget_of(64 * MIB, 100 * KIB);
    struct credit c;
    (void)state;
    credit_init(&c, 0);
    for (int i = 0; i < 10; i++)
        round_trip(&c, &budget, 0);
    assert_int_equal(c.window, 100 * KIB);
}

static void stays_within_the_budget(void **state)
{
    struct credit_budget budget = budget_of(2 * MIB, USHER_WINDOW_MAX);
    struct credit c[10];
    usec_t now = 0;
    (void)state;
    for (size_t i = 0; i < 10; i++)
        credit_init(&c[i], 0);
    for (int turn = 0; turn < 30; turn++)
        for (size_t i = 0; i < 10; i++) {
            round_trip(&c[i], &budget, now += USEC_PER_MSEC);
            assert_true(budget.used <= budget.total);
        }
}

// One session has taken all; then nine more want some.
static void gives_way_to_others(void **state)
{
    struct credit_budget budget = budget_of(4 * MIB, USHER_WINDOW_MAX);
    struct credit c[10];
    usec_t now = 0;
    (void)state;
    for (size_t i = 0; i < 10; i++)
        credit_init(&c[i], 0);
    for (int turn = 0; turn < 20; turn++)
        round_trip(&c[0], &budget, now += USEC_PER_MSEC);
    assert_true(c[0].window > 3 * MIB);
    for (int turn = 0; turn < 200; turn++)
        for (size_t i = 0; i < 10; i++)
            round_trip(&c[i], &budget, now += USEC_PER_MSEC);
    for (size_t i = 0; i < 10; i++) {
        assert_true(c[i].window >= 256 * KIB);
        assert_true(c[i].window <= 64 * KIB + 4 * MIB / 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_64_kib_each_way),     cmocka_unit_test(spends_and_is_raised),
        cmocka_unit_test(refuses_credit_beyond_2_31),      cmocka_unit_test(owes_at_a_quarter),
        cmocka_unit_test(bulk_gets_256_kib_early),         cmocka_unit_test(doubles_up_to_the_maximum),
        cmocka_unit_test(does_not_grow_for_a_slow_sender), cmocka_unit_test(does_not_grow_for_a_slow_consumer),
        cmocka_unit_test(counts_and_measures_for_ever),    cmocka_unit_test(respects_the_window_maximum),
        cmocka_unit_test(stays_within_the_budget),         cmocka_unit_test(gives_way_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
