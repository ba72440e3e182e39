// SPDX-License-Identifier: GPL-2.0-or-later
// The custom pbuf lies in the packet's attachment: so lwIP's pointer leads to the packet, and its last reference back to
// the pool.
#include "stack/packet_pbuf.h"

#include "base/list.h"

#include <assert.h>

enum { OVERHEAD = 128 }; // bytes charged besides the data: our structure and the allocator's

struct lent {
    struct pbuf_custom pbuf; // first: lwIP hands back its address
    uint64_t *account;       // what the charge is taken off when lwIP or the flow lets go
    uint32_t charge;
};

static_assert(sizeof(struct lent) <= PACKET_ATTACHMENT, "fits into the packet");

struct packet *packet_of_pbuf(struct pbuf *pbuf)
{
    return container_of(pbuf, struct packet, attachment);
}

// Called by lwIP when the last reference to the pbuf is gone.
static void take_back(struct pbuf *pbuf)
{
    struct lent *lent = (struct lent *)pbuf;
    *lent->account -= lent->charge;
    packet_drop(packet_of_pbuf(pbuf));
}

struct pbuf *packet_to_pbuf(struct packet *packet, uint8_t *at, uint16_t len, uint64_t *account)
{
    struct lent *lent = (struct lent *)packet->attachment;
    lent->pbuf.custom_free_function = take_back;
    lent->account = account;
    lent->charge = OVERHEAD + (packet->pool ? len : packet->size);
    *account += lent->charge;
    return pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, &lent->pbuf, at, len);
}
