// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes of one flow that arrived and wait to be read: lwIP's pbufs as they came. Those that still wait when a turn ends
// are settled: little data move into buffers of their size, so that a flow that holds one byte does not pin 64 KiB.
#ifndef STACK_INBOX_H
#define STACK_INBOX_H

#include <stddef.h>
#include <stdint.h>

struct pbuf;

struct inbox {
    struct pbuf *head;
    struct pbuf *tail;
    struct pbuf *settled; // the last one that is settled; NULL: none
    uint32_t waiting;     // bytes
};

void inbox_put(struct inbox *inbox, struct pbuf *chain);
size_t inbox_take(struct inbox *inbox, uint8_t *room, size_t size);
void inbox_settle(struct inbox *inbox, uint64_t *account);
void inbox_clear(struct inbox *inbox);

#endif
