// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: head <= next <= tail (as they count, they may wrap), and tail - head is at most the ring's size.
#include "stack/outbox.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING_FIRST = 8,     // slices; doubles as needed
    RING_KEPT = 256,    // largest ring that an empty outbox keeps: 6 KiB
    APPEND_MOST = 1024, // bytes of a slice that is rather copied behind the one before it than kept apart
};

static struct slice *at(const struct outbox *outbox, uint32_t index)
{
    return &outbox->ring[index & outbox->mask];
}

static void grow(struct outbox *outbox)
{
    struct outbox old = *outbox;
    uint32_t size = old.ring == NULL ? RING_FIRST : (old.mask + 1) * 2;
    outbox->ring = memory_resize(NULL, size * sizeof *outbox->ring);
    outbox->mask = size - 1;
    for (uint32_t i = old.head; i != old.tail; i++)
        *at(outbox, i) = *at(&old, i);
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
static bool append(struct outbox *outbox, const struct slice *slice)
{
    bool whole = outbox->tail - outbox->next > (outbox->sent > 0);
    if (slice->len > APPEND_MOST || !whole)
        return false;
    struct slice *last = at(outbox, outbox->tail - 1);
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

void outbox_put(struct outbox *outbox, const struct slice *slice)
{
    if (slice->len == 0 || append(outbox, slice))
        return;
    if (outbox->ring == NULL || outbox->tail - outbox->head > outbox->mask)
        grow(outbox);
    *at(outbox, outbox->tail++) = slice_keep(slice);
}

const uint8_t *outbox_next(const struct outbox *outbox, uint32_t *len)
{
    if (outbox->next == outbox->tail)
        return NULL;
    const struct slice *slice = at(outbox, outbox->next);
    *len = slice->len - outbox->sent;
    return slice->bytes + outbox->sent;
}

void outbox_sent(struct outbox *outbox, uint32_t len)
{
    outbox->sent += len;
    assert(outbox->sent <= at(outbox, outbox->next)->len);
    if (outbox->sent == at(outbox, outbox->next)->len) {
        outbox->next++;
        outbox->sent = 0;
    }
}

void outbox_acked(struct outbox *outbox, size_t len)
{
    while (len > 0) {
        assert(outbox->head != outbox->tail);
        struct slice *slice = at(outbox, outbox->head);
        uint32_t left = slice->len - outbox->acked;
        if (len < left) {
            outbox->acked += (uint32_t)len;
            return;
        }
        len -= left;
        slice_drop(slice);
        outbox->acked = 0;
        outbox->head++;
    }
}

bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->head == outbox->tail;
}

void outbox_clear(struct outbox *outbox)
{
    for (; outbox->head != outbox->tail; outbox->head++)
        slice_drop(at(outbox, outbox->head));
    if (outbox->mask >= RING_KEPT)
        outbox_fini(outbox);
    else
        *outbox = (struct outbox){.ring = outbox->ring, .mask = outbox->mask};
}

void outbox_fini(struct outbox *outbox)
{
    free(outbox->ring);
    *outbox = (struct outbox){0};
}
