// SPDX-License-Identifier: GPL-2.0-or-later
#include "stack/unacked.h"

#include "unit.h"

#include <string.h>

enum { STREAM = 400000 };

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 31 + (at >> 8));
}

static void put(struct unacked *unacked, struct chunk_pool *pool, size_t from, size_t len)
{
    struct chunk *chunk = chunk_new(pool);
    for (size_t i = 0; i < len; i++)
        chunk->bytes[i] = byte_at(from + i);
    struct slice slice = {.chunk = chunk, .bytes = chunk->bytes, .len = (uint32_t)len};
    unacked_put(unacked, &slice);
    chunk_drop(chunk);
}

// Whatever the steps of putting, sending and acknowledging: the bytes come out in order, and all chunks come back.
static void bytes_leave_in_order(void **state)
{
    (void)state;
    static const struct {
        size_t put, send, ack; // bytes at a time
        size_t ahead;          // bytes put at most beyond what is acknowledged
    } cases[] = {
        {16384, 65000, 65000, 1 << 20}, {16384, 1, 60000, 1 << 17}, {1, 7, 3, 5000},
        {1000, 3000, 1, 20000},         {9000, 100, 65000, 1},
    };
    struct chunk_pool *pool = chunk_pool_new(4);
    struct unacked unacked = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t total = cases[i].put == 1 ? 20000 : STREAM, written = 0, sent = 0, acked = 0;
        while (acked < total) {
            while (written < total && written - acked < cases[i].ahead) {
                size_t len = cases[i].put < total - written ? cases[i].put : total - written;
                put(&unacked, pool, written, len);
                written += len;
            }
            uint32_t len = 0;
            const uint8_t *bytes = unacked_next(&unacked, &len);
            assert_int_equal(bytes == NULL, sent == written);
            if (bytes != NULL) {
                len = len < cases[i].send ? len : (uint32_t)cases[i].send;
                for (uint32_t j = 0; j < len; j++)
                    assert_int_equal(bytes[j], byte_at(sent + j));
                unacked_sent(&unacked, len);
                sent += len;
            }
            size_t part = cases[i].ack < sent - acked ? cases[i].ack : sent - acked;
            unacked_drop(&unacked, part);
            acked += part;
        }
        assert_true(unacked_is_empty(&unacked));
        assert_int_equal(chunk_pool_held(pool), 0);
    }
    unacked_fini(&unacked);
    chunk_pool_free(pool);
}

static void what_is_cleared_comes_back(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new(0);
    struct unacked unacked = {0};
    for (int many = 0; many < 2; many++) {
        for (size_t i = 0; i < (many ? 1000u : 3u); i++)
            put(&unacked, pool, i, 2048);
        uint32_t len;
        assert_non_null(unacked_next(&unacked, &len));
        unacked_sent(&unacked, len);
        unacked_drop(&unacked, 7);
        unacked_clear(&unacked);
        assert_true(unacked_is_empty(&unacked));
        assert_int_equal(chunk_pool_held(pool), 0);
        assert_int_equal(unacked.ring == NULL, many); // a large ring is not kept
    }
    put(&unacked, pool, 0, 0); // nothing
    assert_true(unacked_is_empty(&unacked));
    unacked_fini(&unacked);
    chunk_pool_free(pool);
}

// Ten thousand single bytes that nobody reads cost little more than ten thousand bytes.
static void single_bytes_share_chunks(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new(0);
    struct unacked unacked = {0};
    put(&unacked, pool, 0, 1);
    assert_in_range(chunk_pool_held(pool), 1, 64); // one alone pins no large chunk
    for (size_t i = 1; i < 10000; i++)
        put(&unacked, pool, i, 1);
    assert_in_range(chunk_pool_held(pool), 10000, 2 * CHUNK_SIZE);
    for (size_t at = 0; at < 10000;) {
        uint32_t len;
        const uint8_t *bytes = unacked_next(&unacked, &len);
        assert_non_null(bytes);
        for (uint32_t i = 0; i < len; i++)
            assert_int_equal(bytes[i], byte_at(at + i));
        unacked_sent(&unacked, len);
        at += len;
    }
    unacked_drop(&unacked, 10000);
    assert_int_equal(chunk_pool_held(pool), 0);
    unacked_fini(&unacked);
    chunk_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_leave_in_order),
        cmocka_unit_test(what_is_cleared_comes_back),
        cmocka_unit_test(single_bytes_share_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
