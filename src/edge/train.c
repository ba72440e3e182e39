// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/train.h"

#include <string.h>

static bool goes_along(const struct train *train, void *owner, const struct usher_datagram *datagram)
{
    bool last_was_whole = train->len == train->count * train->piece;
    return train->count < TRAIN_PIECES && last_was_whole && datagram->len <= train->piece && train->owner == owner &&
           endpoint_equal(&train->from, &datagram->from) && endpoint_equal(&train->to, &datagram->to);
}

bool train_join(struct train *train, void *owner, const struct usher_datagram *datagram)
{
    if (datagram->len == 0 || datagram->len > TRAIN_SIZE - train->len)
        return false;
    if (train->count == 0) {
        train->owner = owner;
        train->from = datagram->from;
        train->to = datagram->to;
        train->piece = datagram->len;
    } else if (!goes_along(train, owner, datagram)) {
        return false;
    }
    memcpy(train->bytes + train->len, datagram->bytes, datagram->len);
    train->len += datagram->len;
    train->count++;
    return true;
}

struct usher_datagram train_piece(const struct train *train, unsigned index)
{
    size_t at = index * train->piece, left = train->len - at;
    return (struct usher_datagram){.from = train->from,
                                   .to = train->to,
                                   .bytes = train->bytes + at,
                                   .len = left < train->piece ? left : train->piece};
}

void train_clear(struct train *train)
{
    train->owner = NULL;
    train->len = 0;
    train->count = 0;
}
