// SPDX-License-Identifier: GPL-2.0-or-later
// Who has which number.
#include "unit.h"

#include "gate/supervisor/tickets.h"

#include <string.h>

static const uint8_t *number(uint8_t n)
{
    static uint8_t numbers[256][TLS_TICKET_SIZE];
    memset(numbers[n], n, TLS_TICKET_SIZE);
    return numbers[n];
}

// The latest two of each holder are good, and nobody else's.
static void test_two_are_good(void **state)
{
    (void)state;
    struct tickets tickets;
    struct ticket_holder one = {0}, two = {0};
    tickets_init(&tickets);
    assert_null(tickets_find(&tickets, number(1)));
    assert_true(tickets_give(&tickets, &one, number(1)) && tickets_give(&tickets, &two, number(100)));
    for (uint8_t n = 2; n < 50; n++) {
        assert_true(tickets_give(&tickets, &one, number(n)));
        assert_ptr_equal(tickets_find(&tickets, number(n)), &one);
        assert_ptr_equal(tickets_find(&tickets, number(n - 1)), &one);
        assert_null(tickets_find(&tickets, number(n - 2)));
        assert_ptr_equal(tickets_find(&tickets, number(100)), &two);
    }
    tickets_take_back(&tickets, &one);
    assert_null(tickets_find(&tickets, number(49)));
    assert_null(tickets_find(&tickets, number(48)));
    tickets_take_back(&tickets, &one);
    tickets_take_back(&tickets, &two);
    assert_int_equal(tickets.table.count, 0);
    tickets_fini(&tickets);
}

static void test_nobody_has_anothers(void **state)
{
    (void)state;
    struct tickets tickets;
    struct ticket_holder one = {0}, two = {0};
    tickets_init(&tickets);
    assert_true(tickets_give(&tickets, &one, number(1)));
    assert_false(tickets_give(&tickets, &two, number(1)));
    assert_false(tickets_give(&tickets, &one, number(1)));
    assert_ptr_equal(tickets_find(&tickets, number(1)), &one);
    uint8_t near[TLS_TICKET_SIZE];
    memcpy(near, number(1), sizeof near);
    for (size_t i = 0; i < sizeof near; i++) {
        near[i] ^= 0x80;
        assert_null(tickets_find(&tickets, near));
        near[i] ^= 0x80;
    }
    tickets_take_back(&tickets, &one);
    tickets_fini(&tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_are_good), cmocka_unit_test(test_nobody_has_anothers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
