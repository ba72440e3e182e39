// SPDX-License-Identifier: GPL-2.0-or-later
// The queue keeps order and bytes whatever the sizes in and out, and small pieces do not cost more than they are.
#include "edge/relay/queue.h"
#include "unit.h"

#include <string.h>

static struct queue_spares spares;

static uint8_t byte_at(size_t position)
{
    return (uint8_t)(position * 13 + (position >> 8));
}

// Pushes `len` bytes as a slice of a full chunk, the way they come from a tunnel.
static void push(struct relay_queue *queue, struct chunk_pool *pool, size_t *position, uint32_t len)
{
    struct chunk *chunk = chunk_new(pool);
    struct slice slice = {.chunk = chunk, .bytes = chunk->bytes + 8, .len = len};
    for (uint32_t i = 0; i < len; i++)
        chunk->bytes[8 + i] = byte_at((*position)++);
    queue_push(queue, &slice);
    chunk_drop(chunk);
}

// Takes up to `len` bytes through parts, as a socket would, and checks them.
static void take(struct relay_queue *queue, size_t *position, size_t len, int max_parts)
{
    struct iovec iov[8];
    size_t taken = 0;
    int parts = queue_parts(queue, iov, max_parts);
    for (int p = 0; p < parts && taken < len; p++) {
        for (size_t i = 0; i < iov[p].iov_len && taken < len; i++, taken++)
            if (((const uint8_t *)iov[p].iov_base)[i] != byte_at((*position)++))
                fail_msg("byte %zu is not what was pushed", *position - 1);
    }
    queue_pop(queue, taken);
}

static void bytes_come_out_as_they_went_in(void **state)
{
    (void)state;
    static const struct {
        uint32_t in[3]; // sizes pushed, in turn
        size_t out;     // most bytes taken at once
        unsigned lag;   // pushes before the taking begins
    } cases[] = {
        {{1, 1, 1}, 3, 100},     {{16376, 16376, 16376}, 40000, 10}, {{1, 16000, 2047}, 999, 40}, {{2048, 1, 2}, 1, 3},
        {{100, 3000, 5}, 1, 50}, {{2047, 2047, 2047}, 70000, 300},   {{1, 2, 3}, 1, 1},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        struct chunk_pool *pool = chunk_pool_new(4);
        struct relay_queue *queue = queue_take(&spares);
        size_t in = 0, out = 0;
        for (unsigned i = 0; i < 500; i++) {
            push(queue, pool, &in, cases[c].in[i % 3]);
            assert_int_equal(queue->bytes, in - out);
            if (i >= cases[c].lag)
                take(queue, &out, cases[c].out, 1 + (int)(i % 8));
        }
        while (!queue_is_empty(queue))
            take(queue, &out, cases[c].out, 8);
        assert_int_equal(in, out);
        assert_int_equal(queue->bytes, 0);
        assert_int_equal(chunk_pool_held(pool), 0);
        push(queue, pool, &in, 5);
        queue_give(&spares, queue);
        assert_int_equal(chunk_pool_held(pool), 0);
        chunk_pool_free(pool);
    }
}

static void small_pieces_are_put_together(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new(4);
    struct relay_queue *queue = queue_take(&spares);
    size_t in = 0, out = 0;
    for (unsigned i = 0; i < 65536; i++) // all of the first credit, a byte a record
        push(queue, pool, &in, 1);
    assert_true(chunk_pool_held(pool) <= 65536 + 2 * CHUNK_SIZE);
    assert_true(queue->count <= 32);
    while (!queue_is_empty(queue))
        take(queue, &out, 1000, 8);
    assert_int_equal(in, out);
    queue_give(&spares, queue);
    chunk_pool_free(pool);
}

static void a_few_are_kept_and_come_back_empty(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new(4);
    struct relay_queue *queues[32];
    struct list elsewhere;
    size_t in = 0;
    list_init(&elsewhere);
    for (size_t i = 0; i < COUNT(queues); i++) {
        queues[i] = queue_take(&spares);
        push(queues[i], pool, &in, 100);
        list_push_back(&elsewhere, &queues[i]->link);
    }
    for (size_t i = 0; i < COUNT(queues); i++)
        queue_give(&spares, queues[i]);
    assert_true(list_is_empty(&elsewhere));
    assert_int_equal(chunk_pool_held(pool), 0);
    assert_int_equal(spares.count, 16);
    struct relay_queue *again = queue_take(&spares);
    assert_int_equal(spares.count, 15);
    assert_true(queue_is_empty(again));
    assert_int_equal(again->bytes, 0);
    queue_give(&spares, again);
    chunk_pool_free(pool);
}

static int setup(void **state)
{
    (void)state;
    queue_spares_init(&spares);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    queue_spares_fini(&spares);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_come_out_as_they_went_in, setup, teardown),
        cmocka_unit_test_setup_teardown(small_pieces_are_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_few_are_kept_and_come_back_empty, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
