// SPDX-License-Identifier: GPL-2.0-or-later
// Every operation is O(1). An id of our own parity that the peer made us adopt may come up in ids_allocate, which steps
// over it: each step takes an entry off for good, so the steps cost O(1) amortized.
#include "usher/ids.h"

#include "base/memory.h"
#include "usher/record.h"

#include <assert.h>
#include <stdlib.h>

enum { WORD_BITS = 64 };

static bool bit_is_set(const uint64_t *bits, uint16_t id)
{
    return (bits[id / WORD_BITS] >> id % WORD_BITS & 1) != 0;
}

static void bit_set(uint64_t *bits, uint16_t id)
{
    bits[id / WORD_BITS] |= UINT64_C(1) << id % WORD_BITS;
}

static void bit_clear(uint64_t *bits, uint16_t id)
{
    bits[id / WORD_BITS] &= ~(UINT64_C(1) << id % WORD_BITS);
}

// The ids of one parity side by side, as those in use mostly are of one: half as many pages are touched.
static struct usher_session **slot(const struct ids *ids, uint16_t id)
{
    return &ids->table[(uint16_t)(id >> 1 | id << 15)];
}

void ids_init(struct ids *ids, bool server)
{
    // One piece, so that it is large enough to have pages of its own: small ones, zeroed among others, would be touched.
    uint64_t *bound = memory_new(IDS_SPACE / 8 * 2 + IDS_SPACE * sizeof *ids->table);
    *ids = (struct ids){
        .bound = bound,
        .stacked = bound + IDS_SPACE / WORD_BITS,
        .table = (struct usher_session **)(bound + 2 * (IDS_SPACE / WORD_BITS)),
        .next_fresh = server ? 1 : 2, // the client's first would be 0, which is never an id
    };
}

void ids_fini(struct ids *ids)
{
    free(ids->bound);
    free(ids->freed);
}

static bool is_own(const struct ids *ids, uint16_t id)
{
    return (id & 1) == (ids->next_fresh & 1);
}

uint16_t ids_allocate(struct ids *ids, struct usher_session *session)
{
    while (ids->freed_count > 0) {
        uint16_t id = ids->freed[--ids->freed_count];
        bit_clear(ids->stacked, id);
        if (ids_adopt(ids, id, session))
            return id;
    }
    while (ids->next_fresh < USHER_ID_NONE) {
        uint16_t id = (uint16_t)ids->next_fresh;
        ids->next_fresh += 2;
        if (ids_adopt(ids, id, session))
            return id;
    }
    return 0;
}

bool ids_adopt(struct ids *ids, uint16_t id, struct usher_session *session)
{
    if (id == 0 || id == USHER_ID_NONE || *slot(ids, id))
        return false;
    *slot(ids, id) = session;
    return true;
}

static void push_freed(struct ids *ids, uint16_t id)
{
    if (bit_is_set(ids->stacked, id))
        return;
    bit_set(ids->stacked, id);
    if (ids->freed_count == ids->freed_room) {
        ids->freed_room = ids->freed_room == 0 ? 64 : 2 * ids->freed_room;
        ids->freed = memory_resize(ids->freed, ids->freed_room * sizeof *ids->freed);
    }
    ids->freed[ids->freed_count++] = id;
}

void ids_release(struct ids *ids, uint16_t id)
{
    assert(*slot(ids, id));
    *slot(ids, id) = NULL;
    if (is_own(ids, id) && id < ids->next_fresh)
        push_freed(ids, id);
}

struct usher_session *ids_find(const struct ids *ids, uint16_t id)
{
    return *slot(ids, id);
}

bool ids_bind(struct ids *ids, uint16_t peer_id)
{
    if (peer_id == USHER_ID_NONE || bit_is_set(ids->bound, peer_id))
        return false;
    bit_set(ids->bound, peer_id);
    return true;
}

void ids_unbind(struct ids *ids, uint16_t peer_id)
{
    bit_clear(ids->bound, peer_id);
}

bool ids_is_bound(const struct ids *ids, uint16_t peer_id)
{
    return ids->bound[peer_id / WORD_BITS] & UINT64_C(1) << peer_id % WORD_BITS;
}
