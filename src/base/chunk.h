// SPDX-License-Identifier: GPL-2.0-or-later
// Reference-counted byte buffers of one size, recycled by a pool, and slices of them. Decrypted tunnel data lives in
// chunks from the TLS layer to the last acknowledgement of the far application; whoever keeps a slice holds a
// reference on its chunk. One thread; no locks.
#ifndef BASE_CHUNK_H
#define BASE_CHUNK_H

#include <stddef.h>
#include <stdint.h>

// One TLS record's worth of plaintext (RFC 8446 section 5.1: 2^14 bytes).
#define CHUNK_SIZE 16384

struct chunk_pool;

struct chunk {
    struct chunk_pool *pool;
    struct chunk *next_free; // while cached in the pool
    uint32_t refs;
    uint32_t size; // bytes of room in `bytes`
    uint8_t bytes[];
};

// A run of bytes inside a chunk. A slice passed to a callee is borrowed: a callee that keeps it calls slice_hold
// (or slice_keep) and later slice_drop.
struct slice {
    struct chunk *chunk;
    const uint8_t *bytes;
    uint32_t len;
};

// A pool keeps at most `cache` free chunks for reuse and gives the others back to the allocator.
struct chunk_pool *chunk_pool_new(size_t cache);
// All chunks must have been dropped before.
void chunk_pool_free(struct chunk_pool *pool);
// Gives cached chunks beyond `keep` back to the allocator; for a tunnel that has gone idle.
void chunk_pool_trim(struct chunk_pool *pool, size_t keep);
// Bytes in chunks that are held by somebody (not cached): the receive side's memory.
size_t chunk_pool_held(const struct chunk_pool *pool);

// A chunk of CHUNK_SIZE bytes with one reference. Never NULL: running out of memory aborts.
struct chunk *chunk_new(struct chunk_pool *pool);
void chunk_drop(struct chunk *chunk);

// A slice that may be kept: of the same chunk with one more reference when `slice` is large, else a copy in a chunk
// of its own size, so that a few bytes never pin a whole record's buffer.
struct slice slice_keep(const struct slice *slice);
void slice_drop(struct slice *slice);

#endif
