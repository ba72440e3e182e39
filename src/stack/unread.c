// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: `head` to `tail` are linked by `next`, each pbuf with its own bytes only (tot_len is not kept: a flow may
// hold more than 16 bits count), and `waiting` is the sum of their lengths.
#include "stack/unread.h"

#include "stack/packet_pbuf.h"

#include <string.h>

enum {
    SMALL_DATA = 8192, // below it data move into a buffer of their own
    SMALL_LEAST = 64,  // room of the smallest such buffer
};

void unread_put(struct unread *unread, struct pbuf *chain)
{
    if (!unread->head)
        unread->head = chain;
    else
        unread->tail->next = chain;
    for (struct pbuf *p = chain; p; p = p->next) {
        unread->tail = p;
        unread->waiting += p->len;
    }
}

// Frees one pbuf, not the chain behind it.
static void release(struct pbuf *p)
{
    p->next = NULL;
    p->tot_len = p->len;
    pbuf_free(p);
}

static void drop_head(struct unread *unread)
{
    struct pbuf *p = unread->head;
    unread->head = p->next;
    if (unread->settled == p)
        unread->settled = NULL;
    if (unread->tail == p)
        unread->tail = NULL;
    release(p);
}

size_t unread_take(struct unread *unread, uint8_t *room, size_t size)
{
    size_t taken = 0;
    while (unread->head && taken < size) {
        struct pbuf *p = unread->head;
        size_t piece = p->len < size - taken ? p->len : size - taken;
        memcpy(room + taken, p->payload, piece);
        taken += piece;
        p->payload = (uint8_t *)p->payload + piece;
        p->len = (u16_t)(p->len - piece);
        if (p->len == 0)
            drop_head(unread);
    }
    unread->waiting -= (uint32_t)taken;
    return taken;
}

static uint8_t *end_of(const struct pbuf *p)
{
    return (uint8_t *)p->payload + p->len;
}

// Room behind the data of a settled small buffer.
static size_t room_behind(const struct pbuf *p)
{
    const struct packet *packet = packet_of_pbuf((struct pbuf *)p);
    return packet->pool ? 0 : (size_t)(packet->bytes + packet->size - end_of(p));
}

static struct pbuf *new_small(const struct pbuf *from, uint64_t *account)
{
    size_t size = SMALL_LEAST;
    while (size < from->len)
        size *= 2;
    struct packet *packet = packet_new_small(size);
    memcpy(packet->bytes, from->payload, from->len);
    return packet_to_pbuf(packet, packet->bytes, from->len, account);
}

// Settles `p`, which follows `before` (NULL: it is the head). Returns what stands in its place.
static struct pbuf *settle(struct unread *unread, struct pbuf *before, struct pbuf *p, uint64_t *account)
{
    if (p->len >= SMALL_DATA)
        return p;
    struct pbuf *instead = before;
    if (before && room_behind(before) >= p->len) {
        memcpy(end_of(before), p->payload, p->len);
        before->len = (u16_t)(before->len + p->len);
        before->next = p->next;
    } else {
        instead = new_small(p, account);
        instead->next = p->next;
        *(before ? &before->next : &unread->head) = instead;
    }
    if (unread->tail == p)
        unread->tail = instead;
    release(p);
    return instead;
}

// A large buffer that was read down to little, long after it was settled.
static bool head_has_shrunk(const struct unread *unread)
{
    return unread->settled && unread->head->len < SMALL_DATA && packet_of_pbuf(unread->head)->pool;
}

void unread_settle(struct unread *unread, uint64_t *account)
{
    if (head_has_shrunk(unread)) {
        bool alone = unread->settled == unread->head;
        struct pbuf *instead = settle(unread, NULL, unread->head, account);
        if (alone)
            unread->settled = instead;
    }
    while (unread->settled != unread->tail) {
        struct pbuf *p = unread->settled ? unread->settled->next : unread->head;
        unread->settled = settle(unread, unread->settled, p, account);
    }
}

void unread_clear(struct unread *unread)
{
    while (unread->head)
        drop_head(unread);
    *unread = (struct unread){0};
}
