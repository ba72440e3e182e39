// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: head <= next <= tail (as they count, they may wrap), and tail - head is at most the ring's size.
#include "stack/unacked.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING_FIRST = 8,     // slices; doubles as needed
    RING_KEPT = 256,    // largest ring that an empty unacked keeps: 6 KiB
    APPEND_MOST = 1024, // bytes of a slice that is rather copied behind the one before it than kept apart
};

static struct slice *at(const struct unacked *unacked, uint32_t index)
{
    return &unacked->ring[index & unacked->mask];
}

static void grow(struct unacked *unacked)
{
    struct unacked old = *unacked;
    uint32_t size = !old.ring ? RING_FIRST : (old.mask + 1) * 2;
    unacked->ring = memory_resize(NULL, size * sizeof *unacked->ring);
    unacked->mask = size - 1;
    for (uint32_t i = old.head; i != old.tail; i++)
        *at(unacked, i) = *at(&old, i);
    free(old.ring);
}

// Room behind a slice in a chunk that nobody else refers to.
static size_t room_behind(const struct slice *slice)
{
    const struct chunk *chunk = slice->chunk;
    return chunk->refs == 1 ? (size_t)(chunk->bytes + chunk->size - slice->bytes) - slice->len : 0;
}

// Little data that follow what lwIP does not have yet go into the same chunk: a peer that sends single bytes to an
// application that reads nothing must not cost us a hundred bytes for each.
static bool append(struct unacked *unacked, const struct slice *slice)
{
    bool whole = unacked->tail - unacked->next > (unacked->sent > 0);
    if (slice->len > APPEND_MOST || !whole)
        return false;
    struct slice *last = at(unacked, unacked->tail - 1);
    if (last->len + slice->len > CHUNK_SIZE)
        return false;
    if (room_behind(last) < slice->len) {
        if (last->chunk->size == CHUNK_SIZE)
            return false;
        struct chunk *chunk = chunk_new(last->chunk->pool);
        memcpy(chunk->bytes, last->bytes, last->len);
        uint32_t len = last->len;
        slice_drop(last);
        *last = (struct slice){.chunk = chunk, .bytes = chunk->bytes, .len = len};
    }
    memcpy((uint8_t *)last->bytes + last->len, slice->bytes, slice->len);
    last->len += slice->len;
    return true;
}

void unacked_put(struct unacked *unacked, const struct slice *slice)
{
    if (slice->len == 0 || append(unacked, slice))
        return;
    if (!unacked->ring || unacked->tail - unacked->head > unacked->mask)
        grow(unacked);
    *at(unacked, unacked->tail++) = slice_keep(slice);
}

const uint8_t *unacked_next(const struct unacked *unacked, uint32_t *len)
{
    if (unacked->next == unacked->tail)
        return NULL;
    const struct slice *slice = at(unacked, unacked->next);
    *len = slice->len - unacked->sent;
    return slice->bytes + unacked->sent;
}

void unacked_sent(struct unacked *unacked, uint32_t len)
{
    unacked->sent += len;
    assert(unacked->sent <= at(unacked, unacked->next)->len);
    if (unacked->sent == at(unacked, unacked->next)->len) {
        unacked->next++;
        unacked->sent = 0;
    }
}

void unacked_drop(struct unacked *unacked, size_t len)
{
    while (len > 0) {
        assert(unacked->head != unacked->tail);
        struct slice *slice = at(unacked, unacked->head);
        uint32_t left = slice->len - unacked->acked;
        if (len < left) {
            unacked->acked += (uint32_t)len;
            return;
        }
        len -= left;
        slice_drop(slice);
        unacked->acked = 0;
        unacked->head++;
    }
}

bool unacked_is_empty(const struct unacked *unacked)
{
    return unacked->head == unacked->tail;
}

void unacked_clear(struct unacked *unacked)
{
    for (; unacked->head != unacked->tail; unacked->head++)
        slice_drop(at(unacked, unacked->head));
    if (unacked->mask >= RING_KEPT)
        unacked_fini(unacked);
    else
        *unacked = (struct unacked){.ring = unacked->ring, .mask = unacked->mask};
}

void unacked_fini(struct unacked *unacked)
{
    free(unacked->ring);
    *unacked = (struct unacked){0};
}
