// SPDX-License-Identifier: GPL-2.0-or-later
// The small parts of the lowest floor, one group each.
#include "base/bucket.h"
#include "base/chunk.h"
#include "base/cursor.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"
#include "base/text.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void a_reader_fails_once_and_for_good(void **state)
{
    static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 'h', 'i', 0};
    (void)state;
    struct reader r = reader_over(bytes, sizeof(bytes));
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_u32(&r), 0x02030405);
    assert_string_equal(reader_text(&r), "hi");
    assert_false(r.failed);
    assert_int_equal(reader_u16(&r), 0);
    assert_true(r.failed);

    r = reader_over(bytes, 6);
    reader_bytes(&r, 5);
    assert_null(reader_text(&r)); // no NUL within the bytes
    assert_true(r.failed);
    assert_int_equal(reader_u8(&r), 0); // although a byte is left

    r = reader_over(bytes, sizeof(bytes));
    assert_int_equal(reader_u64(&r), UINT64_C(0x0102030405686900));
    assert_int_equal(reader_u64(&r), 0);
    assert_true(r.failed);
}

static void a_writer_never_passes_its_end(void **state)
{
    uint8_t room[9] = {0};
    (void)state;
    struct writer w = writer_over(room, 8);
    writer_u16(&w, 0x0102);
    writer_u32(&w, 0x03040506);
    writer_text(&w, "x");
    assert_false(w.failed);
    assert_int_equal(writer_left(&w), 0);
    assert_memory_equal(room, "\1\2\3\4\5\6x\0", 8);
    writer_u8(&w, 0xff);
    assert_true(w.failed);
    assert_int_equal(room[8], 0);

    w = writer_over(room, 8);
    writer_u64(&w, UINT64_C(0x1112131415161718));
    assert_memory_equal(room, "\x11\x12\x13\x14\x15\x16\x17\x18", 9);
    w = writer_over(room, 7);
    writer_u64(&w, 0);
    assert_true(w.failed);
    assert_int_equal(room[0], 0x11); // not even a part of it
}

static void siphash_gives_the_vectors_of_the_paper(void **state)
{
    // Key 00..0f, message 00..n-1 (appendix A of the paper and its reference vectors).
    static const struct {
        size_t len;
        uint64_t hash;
    } cases[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},
        {1, UINT64_C(0x74f839c593dc67fd)},
        {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t message[16];
    (void)state;
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)i;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(hash_bytes(&key, message, cases[i].len) == cases[i].hash);
}

struct item {
    struct table_node node;
    struct list link;
    int value;
};

static void a_table_keeps_every_node_as_it_grows(void **state)
{
    enum { ITEMS = 5000 };
    static struct item items[ITEMS];
    struct table table;
    (void)state;
    table_init(&table);
    for (int i = 0; i < ITEMS; i++) {
        items[i].value = i;
        table_insert(&table, &items[i].node, (uint64_t)(i / 2) * 7919); // every hash twice
    }
    assert_int_equal(table.count, ITEMS);
    for (int i = 0; i < ITEMS; i += 2) {
        int found = 0;
        uint64_t hash = (uint64_t)(i / 2) * 7919;
        for (struct table_node *n = table_first(&table, hash); n != NULL; n = table_next(n))
            found += container_of(n, struct item, node)->value / 2 == i / 2;
        assert_int_equal(found, 2);
    }
    assert_null(table_first(&table, 12345));
    for (int i = 0; i < ITEMS; i++)
        assert_true(table_remove(&table, &items[i].node));
    assert_false(table_remove(&table, &items[0].node));
    assert_int_equal(table.count, 0);
    table_fini(&table);
}

static void list_nodes_may_leave_twice_and_while_visited(void **state)
{
    struct list list;
    struct item items[3];
    int order = 0;
    (void)state;
    list_init(&list);
    for (int i = 0; i < 3; i++) {
        items[i].value = i;
        list_push_back(&list, &items[i].link);
    }
    list_for_each(node, &list) {
        assert_int_equal(container_of(node, struct item, link)->value, order++);
        list_remove(node);
        list_remove(node);
        assert_false(list_is_linked(node));
    }
    assert_int_equal(order, 3);
    assert_true(list_is_empty(&list));
    assert_null(list_pop_front(&list));
}

static void a_bucket_gives_its_burst_then_its_rate(void **state)
{
    struct bucket bucket;
    int taken = 0;
    (void)state;
    bucket_init(&bucket, 10, 3, 1000);
    while (bucket_take(&bucket, 1000))
        taken++;
    assert_int_equal(taken, 3);
    assert_false(bucket_take(&bucket, 1000 + 99999)); // a tenth of a second less one microsecond
    assert_true(bucket_take(&bucket, 1000 + 100000));
    for (taken = 0; bucket_take(&bucket, USEC_NEVER); taken++)
        ;
    assert_int_equal(taken, 3); // never more than the burst, and no overflow
    bucket_init(&bucket, 0, 1, 0);
    assert_true(bucket_take(&bucket, 0));
    assert_false(bucket_take(&bucket, USEC_NEVER));
}

static void peer_text_is_escaped_and_cut(void **state)
{
    char room[16];
    (void)state;
    assert_string_equal(text_escape(room, sizeof(room), "plain text"), "plain text");
    assert_string_equal(text_escape(room, sizeof(room), "a\n\x1b[\"\\"), "a\\x0a\\x1b[..."); // cut inside
    assert_string_equal(text_escape(room, sizeof(room), "\xff%n"), "\\xff%n");
    assert_string_equal(text_escape(room, sizeof(room), "0123456789abcdefgh"), "0123456789ab...");
}

static void faults_carry_the_cause(void **state)
{
    struct fault fault;
    (void)state;
    assert_false(fault_errno(&fault, EPERM, "tun %s: set MTU %d", "usher0", 1500));
    assert_string_equal(fault.text, "tun usher0: set MTU 1500: Operation not permitted");
}

static void chunks_come_back_and_small_slices_pin_nothing(void **state)
{
    struct chunk_pool *pool = chunk_pool_new(1);
    (void)state;
    struct chunk *a = chunk_new(pool), *b = chunk_new(pool);
    assert_int_equal(chunk_pool_held(pool), 2 * CHUNK_SIZE);
    memcpy(a->bytes, "hello", 5);

    struct slice small = slice_keep(&(struct slice){a, a->bytes, 5});
    struct slice large = slice_keep(&(struct slice){b, b->bytes + 1, 16000});
    assert_ptr_not_equal(small.chunk, a);
    assert_ptr_equal(large.chunk, b);
    chunk_drop(a);
    chunk_drop(b);
    assert_int_equal(chunk_pool_held(pool), CHUNK_SIZE + 5);
    assert_memory_equal(small.bytes, "hello", 5);

    struct slice again = slice_keep(&small);
    assert_ptr_equal(again.chunk, small.chunk); // already small: shared, not copied again
    slice_drop(&again);
    slice_drop(&small);
    slice_drop(&large);
    slice_drop(&large); // harmless
    assert_int_equal(chunk_pool_held(pool), 0);
    chunk_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_fails_once_and_for_good),
        cmocka_unit_test(a_writer_never_passes_its_end),
        cmocka_unit_test(siphash_gives_the_vectors_of_the_paper),
        cmocka_unit_test(a_table_keeps_every_node_as_it_grows),
        cmocka_unit_test(list_nodes_may_leave_twice_and_while_visited),
        cmocka_unit_test(a_bucket_gives_its_burst_then_its_rate),
        cmocka_unit_test(peer_text_is_escaped_and_cut),
        cmocka_unit_test(faults_carry_the_cause),
        cmocka_unit_test(chunks_come_back_and_small_slices_pin_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
