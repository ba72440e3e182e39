// SPDX-License-Identifier: GPL-2.0-or-later
// The bound counts what is allocated, header and entry included, so that a flood of empty datagrams is bounded too.
#include "usher/datagrams.h"

#include "base/memory.h"
#include "usher/config.h"

#include <assert.h>
#include <stdlib.h>

static_assert(USHER_DATAGRAM_QUEUE >= 2 * USHER_BODY_MAX, "the largest datagram always fits");

static uint32_t cost(const struct datagram_entry *entry)
{
    return (uint32_t)sizeof *entry + entry->len;
}

void datagrams_init(struct datagrams *datagrams)
{
    list_init(&datagrams->age);
    datagrams->bytes = 0;
}

static void take_off(struct datagrams *datagrams, struct datagram_entry *entry)
{
    list_remove(&entry->in_session);
    list_remove(&entry->in_age);
    datagrams->bytes -= cost(entry);
}

static void drop_one(struct datagrams *datagrams, struct list *queue)
{
    struct datagram_entry *entry = container_of(datagrams->age.next, struct datagram_entry, in_age);
    if (!list_is_empty(queue))
        entry = container_of(queue->next, struct datagram_entry, in_session);
    take_off(datagrams, entry);
    free(entry);
}

uint32_t datagrams_push(struct datagrams *datagrams, struct list *queue, uint16_t session,
                        const struct usher_datagram *datagram)
{
    uint32_t len = (uint32_t)(USHER_HEADER_SIZE + USHER_DATAGRAM_FIXED + datagram->len);
    struct datagram_entry *entry = memory_new(sizeof *entry + len);
    uint32_t dropped = 0;
    entry->len = len;
    struct writer w = writer_over(entry->record, len);
    record_send_udp_encode(&w, session, datagram);
    for (; datagrams->bytes + cost(entry) > USHER_DATAGRAM_QUEUE; dropped++)
        drop_one(datagrams, queue);
    list_push_back(queue, &entry->in_session);
    list_push_back(&datagrams->age, &entry->in_age);
    datagrams->bytes += cost(entry);
    return dropped;
}

struct datagram_entry *datagrams_pop(struct datagrams *datagrams, struct list *queue)
{
    if (list_is_empty(queue))
        return NULL;
    struct datagram_entry *entry = container_of(queue->next, struct datagram_entry, in_session);
    take_off(datagrams, entry);
    return entry;
}

uint32_t datagram_entry_payload(const struct datagram_entry *entry)
{
    return entry->len - USHER_HEADER_SIZE - USHER_DATAGRAM_FIXED;
}

void datagrams_clear(struct datagrams *datagrams, struct list *queue)
{
    struct datagram_entry *entry;
    while ((entry = datagrams_pop(datagrams, queue)))
        free(entry);
}
