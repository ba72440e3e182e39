// SPDX-License-Identifier: GPL-2.0-or-later
// The pool counts what is out, so that its owner can bound memory and a test can see that everything came back. Small
// kept slices get chunks of their own size from the allocator and pass through the same counts.
#include "base/chunk.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// A slice smaller than this is copied when it is kept: 16 KiB pinned for less would cost more than the copy.
enum { KEEP_BY_COPY = 2048 };

struct chunk_pool {
    struct chunk *free;
    size_t cached;
    size_t cache; // most chunks to keep in `free`
    size_t held;  // bytes of room in chunks that are out
};

struct chunk_pool *chunk_pool_new(size_t cache)
{
    struct chunk_pool *pool = memory_new(sizeof *pool);
    pool->cache = cache;
    return pool;
}

void chunk_pool_free(struct chunk_pool *pool)
{
    assert(pool->held == 0);
    chunk_pool_trim(pool, 0);
    free(pool);
}

void chunk_pool_trim(struct chunk_pool *pool, size_t keep)
{
    while (pool->cached > keep) {
        struct chunk *chunk = pool->free;
        pool->free = chunk->next_free;
        pool->cached--;
        free(chunk);
    }
}

size_t chunk_pool_held(const struct chunk_pool *pool)
{
    return pool->held;
}

// `bytes` is left as it is: a TLS record or a copy fills it at once, and clearing 16 KiB a record would be work.
static struct chunk *take(struct chunk_pool *pool, size_t size)
{
    struct chunk *chunk = memory_resize(NULL, sizeof *chunk + size);
    *chunk = (struct chunk){.pool = pool, .refs = 1, .size = (uint32_t)size};
    return chunk;
}

struct chunk *chunk_new(struct chunk_pool *pool)
{
    struct chunk *chunk = pool->free;
    if (chunk) {
        pool->free = chunk->next_free;
        pool->cached--;
        chunk->refs = 1;
    } else {
        chunk = take(pool, CHUNK_SIZE);
    }
    pool->held += chunk->size;
    return chunk;
}

static void hold(struct chunk *chunk)
{
    assert(chunk->refs > 0);
    chunk->refs++;
}

void chunk_drop(struct chunk *chunk)
{
    struct chunk_pool *pool = chunk->pool;
    assert(chunk->refs > 0);
    if (--chunk->refs > 0)
        return;
    pool->held -= chunk->size;
    if (chunk->size != CHUNK_SIZE || pool->cached >= pool->cache) {
        free(chunk);
        return;
    }
    chunk->next_free = pool->free;
    pool->free = chunk;
    pool->cached++;
}

struct slice slice_keep(const struct slice *slice)
{
    if (slice->len >= KEEP_BY_COPY || slice->chunk->size != CHUNK_SIZE) {
        hold(slice->chunk);
        return *slice;
    }
    struct chunk *copy = take(slice->chunk->pool, slice->len);
    copy->pool->held += copy->size;
    memcpy(copy->bytes, slice->bytes, slice->len);
    return (struct slice){.chunk = copy, .bytes = copy->bytes, .len = slice->len};
}

void slice_drop(struct slice *slice)
{
    if (slice->chunk)
        chunk_drop(slice->chunk);
    *slice = (struct slice){0};
}
