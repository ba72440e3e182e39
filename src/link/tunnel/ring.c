// SPDX-License-Identifier: GPL-2.0-or-later
// Invariants. Records are numbered from 0 in the order of their beginnings, confirmed <= sent <= begun. The oldest block
// holds the first record that is not confirmed, so what lies before that record in it is behind us; `again` is never
// confirmed as a whole, since only what was sent can be.
#include "link/tunnel/ring.h"

#include "base/memory.h"
#include "usher/record.h"

#include <assert.h>
#include <stdlib.h>

struct ring_block {
    struct list list;
    uint32_t len;   // bytes that are in it
    uint32_t tail;  // bytes at its front that belong to a record begun in the block before
    uint64_t first; // number of the record that begins behind them
    uint8_t bytes[RING_BLOCK_SIZE];
};

void ring_init(struct ring *ring, size_t limit)
{
    *ring = (struct ring){.keep = limit > 0, .limit = limit};
    list_init(&ring->blocks);
    list_init(&ring->spare);
}

static struct ring_block *block_of(struct list *node)
{
    return container_of(node, struct ring_block, list);
}

static void free_blocks(struct list *blocks)
{
    struct list *node;
    while ((node = list_pop_front(blocks)))
        free(block_of(node));
}

void ring_fini(struct ring *ring)
{
    free_blocks(&ring->blocks);
    free_blocks(&ring->spare);
    free(ring->slot);
}

void ring_keep_no_more(struct ring *ring)
{
    ring->keep = false;
}

static struct ring_block *newest(const struct ring *ring)
{
    return list_is_empty(&ring->blocks) ? NULL : block_of(ring->blocks.prev);
}

static struct ring_block *behind(const struct ring *ring, const struct ring_block *block)
{
    return block->list.next == &ring->blocks ? NULL : block_of(block->list.next);
}

static bool has_room(const struct ring_block *block)
{
    return block && RING_BLOCK_SIZE - block->len >= CHUNK_SIZE;
}

bool ring_has_room(const struct ring *ring, enum ring_use use)
{
    size_t limit = ring->limit + (use == RING_CONFIRMATION ? 2 * RING_BLOCK_SIZE : 0);
    return !ring->keep || (has_room(newest(ring)) && ring->held <= limit) || ring->held + RING_BLOCK_SIZE <= limit;
}

static void clear(const struct ring *ring, struct ring_block *block)
{
    block->len = 0;
    block->tail = ring->left;
    block->first = ring->begun;
}

static struct ring_block *add_block(struct ring *ring)
{
    struct list *node = list_pop_front(&ring->spare);
    // Resized from nothing rather than zeroed: pages that are never written are never touched.
    struct ring_block *block = node ? block_of(node) : memory_resize(NULL, sizeof *block);
    clear(ring, block);
    list_init(&block->list);
    list_push_back(&ring->blocks, &block->list);
    ring->held += RING_BLOCK_SIZE;
    return block;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint8_t *take_slot(struct ring *ring)
{
    free_blocks(&ring->blocks);
    free_blocks(&ring->spare);
    ring->held = 0;
    ring->slot = ring->slot ? ring->slot : memory_resize(NULL, RING_PULL_MAX);
    return ring->slot;
}

uint8_t *ring_room(struct ring *ring, enum ring_use use, size_t *size)
{
    *size = RING_PULL_MAX;
    assert(!ring->again);
    if (!ring_has_room(ring, use))
        return NULL;
    if (!ring->keep)
        return take_slot(ring);
    struct ring_block *block = newest(ring);
    block = has_room(block) ? block : add_block(ring);
    *size = least(RING_BLOCK_SIZE - block->len, RING_PULL_MAX);
    return block->bytes + block->len;
}

static uint32_t record_size(const struct ring_block *block, uint32_t at)
{
    struct record_header header;
    bool good = block->len - at >= USHER_HEADER_SIZE && record_header_decode(&header, block->bytes + at);
    assert(good); // our own engine wrote it
    return USHER_HEADER_SIZE + header.length;
}

void ring_added(struct ring *ring, size_t len)
{
    if (!ring->keep)
        return;
    struct ring_block *block = newest(ring);
    assert(len <= RING_PULL_MAX && len <= RING_BLOCK_SIZE - block->len);
    uint32_t at = block->len;
    block->len += (uint32_t)len;
    while (at < block->len) {
        if (ring->left == 0) {
            ring->left = record_size(block, at);
            ring->begun++;
        }
        uint32_t step = least(ring->left, block->len - at);
        ring->left -= step;
        at += step;
    }
    ring->sent = ring->begun - (ring->left > 0);
}

static bool is_confirmed(const struct ring *ring, const struct ring_block *block)
{
    const struct ring_block *next = behind(ring, block);
    return (next ? next->first : ring->begun) <= ring->confirmed;
}

bool ring_confirm(struct ring *ring, uint64_t records)
{
    if (records > ring->sent - ring->confirmed)
        return false;
    ring->confirmed += records;
    while (!list_is_empty(&ring->blocks)) {
        struct ring_block *oldest = block_of(ring->blocks.next);
        if (!is_confirmed(ring, oldest))
            break;
        if (oldest == newest(ring)) {
            clear(ring, oldest); // still warm, and so the next to be used
            break;
        }
        list_remove(&oldest->list);
        list_push_front(&ring->spare, &oldest->list);
        ring->held -= RING_BLOCK_SIZE;
    }
    return true;
}

static void go_on_in(struct ring *ring, struct ring_block *block, uint32_t at)
{
    ring->again = block && at < block->len ? block : NULL;
    ring->again_at = at;
}

void ring_rewind(struct ring *ring)
{
    struct ring_block *oldest = list_is_empty(&ring->blocks) ? NULL : block_of(ring->blocks.next);
    uint32_t at = oldest ? least(oldest->tail, oldest->len) : 0;
    ring->sent = ring->confirmed;
    ring->again_left = 0;
    for (uint64_t record = oldest ? oldest->first : 0; oldest && record < ring->confirmed; record++)
        at += record_size(oldest, at);
    go_on_in(ring, oldest, at);
}

bool ring_is_behind(const struct ring *ring)
{
    return ring->again;
}

const uint8_t *ring_next(struct ring *ring, size_t *len)
{
    struct ring_block *block = ring->again;
    if (!block)
        return NULL;
    uint32_t start = ring->again_at, at = start, end = least(block->len, start + CHUNK_SIZE);
    while (at < end) {
        if (ring->again_left == 0) {
            uint32_t size = record_size(block, at);
            if (at > start && size > start + CHUNK_SIZE - at)
                break; // whole in the next piece
            ring->again_left = size;
        }
        uint32_t step = least(ring->again_left, end - at);
        ring->again_left -= step;
        ring->sent += ring->again_left == 0;
        at += step;
    }
    *len = at - start;
    if (at == block->len)
        go_on_in(ring, behind(ring, block), 0);
    else
        ring->again_at = at;
    return block->bytes + start;
}

void ring_trim(struct ring *ring)
{
    free_blocks(&ring->spare);
    free(ring->slot);
    ring->slot = NULL;
    struct ring_block *last = newest(ring);
    if (!last || last->len > 0)
        return;
    list_remove(&last->list);
    free(last);
    ring->held -= RING_BLOCK_SIZE;
}
