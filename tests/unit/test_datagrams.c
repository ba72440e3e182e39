// SPDX-License-Identifier: GPL-2.0-or-later
#include "usher/datagrams.h"

#include "unit.h"
#include "usher/engine.h"

#include <stdlib.h>

static uint8_t bytes[USHER_DATAGRAM_MAX];

static uint32_t push(struct datagrams *datagrams, struct list *queue, uint8_t mark, size_t len)
{
    struct usher_datagram datagram = {.bytes = bytes, .len = len};
    bytes[0] = mark;
    return datagrams_push(datagrams, queue, 7, &datagram);
}

// The mark of the oldest; -1 when there is none.
static int pop(struct datagrams *datagrams, struct list *queue)
{
    struct datagram_entry *entry = datagrams_pop(datagrams, queue);
    if (!entry)
        return -1;
    int mark = entry->record[USHER_HEADER_SIZE + USHER_DATAGRAM_FIXED];
    free(entry);
    return mark;
}

static void keeps_the_order(void **state)
{
    struct datagrams all;
    struct list queue;
    (void)state;
    datagrams_init(&all);
    list_init(&queue);
    for (uint8_t i = 0; i < 10; i++)
        assert_int_equal(push(&all, &queue, i, 100), 0);
    for (uint8_t i = 0; i < 10; i++)
        assert_int_equal(pop(&all, &queue), i);
    assert_int_equal(pop(&all, &queue), -1);
    assert_int_equal(all.bytes, 0);
}

static void drops_the_oldest_of_its_own(void **state)
{
    struct datagrams all;
    struct list queue, quiet;
    uint32_t dropped = 0;
    (void)state;
    datagrams_init(&all);
    list_init(&queue);
    list_init(&quiet);
    push(&all, &quiet, 99, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        dropped += push(&all, &queue, (uint8_t)i, 1000);
        assert_true(all.bytes <= USHER_DATAGRAM_QUEUE);
    }
    assert_true(dropped > 700 && dropped < 800);
    assert_int_equal(pop(&all, &queue), (uint8_t)dropped); // 0 .. dropped - 1 are gone
    assert_int_equal(pop(&all, &quiet), 99);               // who sends little loses nothing
    datagrams_clear(&all, &queue);
    assert_int_equal(all.bytes, 0);
}

static void a_newcomer_displaces_the_oldest_of_all(void **state)
{
    struct datagrams all;
    struct list flood, newcomer;
    (void)state;
    datagrams_init(&all);
    list_init(&flood);
    list_init(&newcomer);
    while (push(&all, &flood, 1, 1000) == 0)
        continue;
    assert_int_equal(push(&all, &newcomer, 2, USHER_DATAGRAM_MAX), 62);
    assert_true(all.bytes <= USHER_DATAGRAM_QUEUE);
    assert_int_equal(pop(&all, &newcomer), 2);
    datagrams_clear(&all, &flood);
}

static void empty_ones_are_bounded_too(void **state)
{
    struct datagrams all;
    struct list queue;
    uint32_t dropped = 0;
    (void)state;
    datagrams_init(&all);
    list_init(&queue);
    for (unsigned i = 0; i < 20000; i++)
        dropped += push(&all, &queue, 0, 0);
    assert_true(dropped > 10000);
    datagrams_clear(&all, &queue);
    assert_true(list_is_empty(&queue) && list_is_empty(&all.age));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order),
        cmocka_unit_test(drops_the_oldest_of_its_own),
        cmocka_unit_test(a_newcomer_displaces_the_oldest_of_all),
        cmocka_unit_test(empty_ones_are_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
