// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: `head` to `tail` are linked by `next`, each pbuf with its own bytes only (tot_len is not kept: a flow may
// hold more than 16 bits count), and `waiting` is the sum of their lengths.
#include "stack/inbox.h"

#include "stack/packet_pbuf.h"

#include <string.h>

enum {
    SMALL_DATA = 8192, // below it data move into a buffer of their own
    SMALL_LEAST = 64,  // room of the smallest such buffer
};

void inbox_put(struct inbox *inbox, struct pbuf *chain)
{
    if (inbox->head == NULL)
        inbox->head = chain;
    else
        inbox->tail->next = chain;
    for (struct pbuf *p = chain; p != NULL; p = p->next) {
        inbox->tail = p;
        inbox->waiting += p->len;
    }
}

// Frees one pbuf, not the chain behind it.
static void release(struct pbuf *p)
{
    p->next = NULL;
    p->tot_len = p->len;
    pbuf_free(p);
}

static void drop_head(struct inbox *inbox)
{
    struct pbuf *p = inbox->head;
    inbox->head = p->next;
    if (inbox->settled == p)
        inbox->settled = NULL;
    if (inbox->tail == p)
        inbox->tail = NULL;
    release(p);
}

size_t inbox_take(struct inbox *inbox, uint8_t *room, size_t size)
{
    size_t taken = 0;
    while (inbox->head != NULL && taken < size) {
        struct pbuf *p = inbox->head;
        size_t piece = p->len < size - taken ? p->len : size - taken;
        memcpy(room + taken, p->payload, piece);
        taken += piece;
        p->payload = (uint8_t *)p->payload + piece;
        p->len = (u16_t)(p->len - piece);
        if (p->len == 0)
            drop_head(inbox);
    }
    inbox->waiting -= (uint32_t)taken;
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
    return packet->pool != NULL ? 0 : (size_t)(packet->bytes + packet->size - end_of(p));
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
static struct pbuf *settle(struct inbox *inbox, struct pbuf *before, struct pbuf *p, uint64_t *account)
{
    if (p->len >= SMALL_DATA)
        return p;
    struct pbuf *instead = before;
    if (before != NULL && room_behind(before) >= p->len) {
        memcpy(end_of(before), p->payload, p->len);
        before->len = (u16_t)(before->len + p->len);
        before->next = p->next;
    } else {
        instead = new_small(p, account);
        instead->next = p->next;
        *(before != NULL ? &before->next : &inbox->head) = instead;
    }
    if (inbox->tail == p)
        inbox->tail = instead;
    release(p);
    return instead;
}

// A large buffer that was read down to little, long after it was settled.
static bool head_has_shrunk(const struct inbox *inbox)
{
    return inbox->settled != NULL && inbox->head->len < SMALL_DATA && packet_of_pbuf(inbox->head)->pool != NULL;
}

void inbox_settle(struct inbox *inbox, uint64_t *account)
{
    if (head_has_shrunk(inbox)) {
        bool alone = inbox->settled == inbox->head;
        struct pbuf *instead = settle(inbox, NULL, inbox->head, account);
        if (alone)
            inbox->settled = instead;
    }
    while (inbox->settled != inbox->tail) {
        struct pbuf *p = inbox->settled != NULL ? inbox->settled->next : inbox->head;
        inbox->settled = settle(inbox, inbox->settled, p, account);
    }
}

void inbox_clear(struct inbox *inbox)
{
    while (inbox->head != NULL)
        drop_head(inbox);
    *inbox = (struct inbox){0};
}
