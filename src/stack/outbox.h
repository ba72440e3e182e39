// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes of one flow on their way to the application: slices that are kept from the owner's write to the application's
// acknowledgement. lwIP refers to them in place; what does not fit into its send buffer yet waits here.
#ifndef STACK_OUTBOX_H
#define STACK_OUTBOX_H

#include "base/chunk.h"

#include <stdbool.h>

// A ring of slices with three marks that only move on: `head` (the oldest not wholly acknowledged), `next` (the oldest
// not wholly given to lwIP), `tail`.
struct outbox {
    struct slice *ring; // NULL: never used
    uint32_t mask;      // slices - 1
    uint32_t head;
    uint32_t next;
    uint32_t tail;
    uint32_t acked; // bytes of the slice at `head`
    uint32_t sent;  // bytes of the slice at `next`
};

void outbox_put(struct outbox *outbox, const struct slice *slice);
// The next run of bytes that lwIP does not have yet; NULL when it has all. `outbox_sent` says how much it took.
const uint8_t *outbox_next(const struct outbox *outbox, uint32_t *len);
void outbox_sent(struct outbox *outbox, uint32_t len);
void outbox_acked(struct outbox *outbox, size_t len);
bool outbox_is_empty(const struct outbox *outbox);
// Drops every slice; keeps a small ring for the next to use it.
void outbox_clear(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);

#endif
