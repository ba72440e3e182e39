// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/relay/batch.h"

#include "os/heap.h"

#include <string.h>

static bool goes_along(const struct datagram_batch *batch, void *owner, const struct usher_datagram *datagram)
{
    bool last_was_whole = batch->len == batch->count * batch->piece;
    return batch->count < BATCH_PIECES && last_was_whole && datagram->len <= batch->piece && batch->owner == owner &&
           endpoint_equal(&batch->from, &datagram->from) && endpoint_equal(&batch->to, &datagram->to);
}

struct datagram_batch *batch_new(void)
{
    return heap_pages(sizeof(struct datagram_batch));
}

void batch_free(struct datagram_batch *batch)
{
    heap_pages_free(batch, sizeof *batch);
}

bool batch_join(struct datagram_batch *batch, void *owner, const struct usher_datagram *datagram)
{
    if (datagram->len == 0 || datagram->len > BATCH_SIZE - batch->len)
        return false;
    if (batch->count == 0) {
        batch->owner = owner;
        batch->from = datagram->from;
        batch->to = datagram->to;
        batch->piece = datagram->len;
    } else if (!goes_along(batch, owner, datagram)) {
        return false;
    }
    memcpy(batch->bytes + batch->len, datagram->bytes, datagram->len);
    batch->len += datagram->len;
    batch->count++;
    return true;
}

struct usher_datagram batch_piece(const struct datagram_batch *batch, unsigned index)
{
    size_t at = index * batch->piece, left = batch->len - at;
    return (struct usher_datagram){.from = batch->from,
                                   .to = batch->to,
                                   .bytes = batch->bytes + at,
                                   .len = left < batch->piece ? left : batch->piece};
}

void batch_clear(struct datagram_batch *batch)
{
    batch->owner = NULL;
    batch->len = 0;
    batch->count = 0;
}
