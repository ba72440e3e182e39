// SPDX-License-Identifier: GPL-2.0-or-later
// A ring of slices that doubles when it is full.
#include "edge/relay/queue.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    RING_START = 16,
    // Slices below this are put together once a few are waiting; a larger one is worth its own place.
    MERGE_BELOW = 2048,
    MERGE_FROM = 16,
    SPARES_MAX = 16,
};

bool queue_is_empty(const struct relay_queue *queue)
{
    return queue->count == 0;
}

static struct slice *at(const struct relay_queue *queue, uint32_t i)
{
    return &queue->ring[(queue->first + i) & (queue->size - 1)];
}

static void grow(struct relay_queue *queue)
{
    struct slice *ring = memory_new(queue->size * 2 * sizeof ring[0]);
    for (uint32_t i = 0; i < queue->count; i++)
        ring[i] = *at(queue, i);
    free(queue->ring);
    queue->ring = ring;
    queue->first = 0;
    queue->size *= 2;
}

static void append(struct relay_queue *queue, struct slice slice)
{
    if (queue->count == queue->size)
        grow(queue);
    *at(queue, queue->count++) = slice;
}

// Puts a small slice behind others in a chunk of our own.
static void merge(struct relay_queue *queue, const struct slice *slice)
{
    if (queue->merge_room < slice->len) {
        struct chunk *chunk = chunk_new(slice->chunk->pool);
        append(queue, (struct slice){.chunk = chunk, .bytes = chunk->bytes});
        queue->merge_room = chunk->size;
    }
    struct slice *last = at(queue, queue->count - 1);
    // Written where the chunk ends so far; the slice's own start moves as it is written out.
    memcpy(last->chunk->bytes + (last->chunk->size - queue->merge_room), slice->bytes, slice->len);
    last->len += slice->len;
    queue->merge_room -= slice->len;
}

void queue_push(struct relay_queue *queue, const struct slice *slice)
{
    if (slice->len < MERGE_BELOW && (queue->merge_room >= slice->len || queue->count >= MERGE_FROM)) {
        merge(queue, slice);
    } else {
        append(queue, slice_keep(slice));
        queue->merge_room = 0;
    }
    queue->bytes += slice->len;
}

int queue_parts(const struct relay_queue *queue, struct iovec *iov, int max)
{
    int parts = 0;
    for (; parts < max && (uint32_t)parts < queue->count; parts++) {
        const struct slice *slice = at(queue, (uint32_t)parts);
        iov[parts] = (struct iovec){.iov_base = (void *)slice->bytes, .iov_len = slice->len};
    }
    return parts;
}

void queue_pop(struct relay_queue *queue, size_t len)
{
    queue->bytes -= len;
    while (len > 0) {
        struct slice *slice = at(queue, 0);
        if (len < slice->len) {
            slice->bytes += len;
            slice->len -= (uint32_t)len;
            return;
        }
        len -= slice->len;
        slice_drop(slice);
        queue->first = (queue->first + 1) & (queue->size - 1);
        queue->count--;
    }
    if (queue->count == 0)
        queue->merge_room = 0;
}

static struct relay_queue *make(void)
{
    struct relay_queue *queue = memory_new(sizeof *queue);
    list_init(&queue->link);
    queue->size = RING_START;
    queue->ring = memory_new(RING_START * sizeof queue->ring[0]);
    return queue;
}

static void unmake(struct relay_queue *queue)
{
    free(queue->ring);
    free(queue);
}

void queue_spares_init(struct queue_spares *spares)
{
    list_init(&spares->list);
    spares->count = 0;
}

void queue_spares_fini(struct queue_spares *spares)
{
    for (struct list *link; (link = list_pop_front(&spares->list));)
        unmake(container_of(link, struct relay_queue, link));
}

struct relay_queue *queue_take(struct queue_spares *spares)
{
    struct list *link = list_pop_front(&spares->list);
    if (!link)
        return make();
    spares->count--;
    return container_of(link, struct relay_queue, link);
}

void queue_give(struct queue_spares *spares, struct relay_queue *queue)
{
    queue_pop(queue, queue->bytes);
    list_remove(&queue->link);
    if (spares->count >= SPARES_MAX) {
        unmake(queue);
        return;
    }
    list_push_front(&spares->list, &queue->link);
    spares->count++;
}
