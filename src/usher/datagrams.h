// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams that wait to be sent, as encoded records: one queue a session, and one order of age across all of them.
// All queues together hold at most USHER_DATAGRAM_QUEUE bytes; for a newer one the oldest of its own session is dropped,
// and when that has none, the oldest of all: with fair sending, that one belongs to whoever sends too much.
#ifndef USHER_DATAGRAMS_H
#define USHER_DATAGRAMS_H

#include "base/list.h"
#include "usher/record.h"

#include <stdint.h>

struct datagram_entry {
    struct list in_session;
    struct list in_age;
    uint32_t len; // of `record`: header, address fields, payload
    uint8_t record[];
};

struct datagrams {
    struct list age;
    uint32_t bytes;
};

void datagrams_init(struct datagrams *datagrams);
// Queues a copy at the end of `queue` and returns how many others were dropped for it.
uint32_t datagrams_push(struct datagrams *datagrams, struct list *queue, uint16_t session,
                        const struct usher_datagram *datagram);
// The oldest of `queue`, which then belongs to the caller (free); NULL when there is none.
struct datagram_entry *datagrams_pop(struct datagrams *datagrams, struct list *queue);
// Bytes of its payload.
uint32_t datagram_entry_payload(const struct datagram_entry *entry);
void datagrams_clear(struct datagrams *datagrams, struct list *queue);

#endif
