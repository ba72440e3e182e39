// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes on their way to a socket, first in first out, as slices of the buffers they came in. The peer's credit bounds
// the bytes; small pieces are put together so that it bounds the memory too.
#ifndef EDGE_RELAY_QUEUE_H
#define EDGE_RELAY_QUEUE_H

#include "base/chunk.h"
#include "base/list.h"

#include <stdbool.h>
#include <sys/uio.h>

struct relay_queue {
    struct list link; // in relay->unflushed or among the spare ones
    void *owner;
    struct slice *ring;
    uint32_t size;  // of `ring`, a power of two
    uint32_t first; // index of the oldest slice
    uint32_t count;
    uint32_t merge_room; // bytes that the newest slice, then all ours, can still take
    size_t bytes;
};

// A few empty ones, for the next flow that needs one.
struct queue_spares {
    struct list list;
    uint32_t count;
};

void queue_spares_init(struct queue_spares *spares);
void queue_spares_fini(struct queue_spares *spares);
struct relay_queue *queue_take(struct queue_spares *spares);
// With what is left in it; it may be on a list.
void queue_give(struct queue_spares *spares, struct relay_queue *queue);

bool queue_is_empty(const struct relay_queue *queue);
void queue_push(struct relay_queue *queue, const struct slice *slice);
// Describes the oldest bytes in at most `max` parts; returns how many parts.
int queue_parts(const struct relay_queue *queue, struct iovec *iov, int max);
// Drops the oldest `len` bytes.
void queue_pop(struct relay_queue *queue, size_t len);

#endif
