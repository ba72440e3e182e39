// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes of one flow on their way to the application: slices that are kept from the owner's write to the application's
// acknowledgement. lwIP refers to them in place; what does not fit into its send buffer yet waits here.
#ifndef STACK_UNACKED_H
#define STACK_UNACKED_H

#include "base/chunk.h"

#include <stdbool.h>

// A ring of slices with three marks that only move on: `head` (the oldest not wholly acknowledged), `next` (the oldest
// not wholly given to lwIP), `tail`.
struct unacked {
    struct slice *ring; // NULL: never used
    uint32_t mask;      // slices - 1
    uint32_t head;
    uint32_t next;
    uint32_t tail;
    uint32_t acked; // bytes of the slice at `head`
    uint32_t sent;  // bytes of the slice at `next`
};

void unacked_put(struct unacked *unacked, const struct slice *slice);
// The next run of bytes that lwIP does not have yet; NULL when it has all. `unacked_sent` says how much it took.
const uint8_t *unacked_next(const struct unacked *unacked, uint32_t *len);
void unacked_sent(struct unacked *unacked, uint32_t len);
void unacked_drop(struct unacked *unacked, size_t len);
bool unacked_is_empty(const struct unacked *unacked);
// Drops every slice; keeps a small ring for the next to use it.
void unacked_clear(struct unacked *unacked);
void unacked_fini(struct unacked *unacked);

#endif
