// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes of one flow that arrived and wait to be read: lwIP's pbufs as they came. Those that still wait when a turn ends
// are settled: little data move into buffers of their size, so that a flow that holds one byte does not pin 64 KiB.
#ifndef STACK_UNREAD_H
#define STACK_UNREAD_H

#include <stddef.h>
#include <stdint.h>

struct pbuf;

struct unread {
    struct pbuf *head;
    struct pbuf *tail;
    struct pbuf *settled; // the last one that is settled; NULL: none
    uint32_t waiting;     // bytes
};

void unread_put(struct unread *unread, struct pbuf *chain);
size_t unread_take(struct unread *unread, uint8_t *room, size_t size);
void unread_settle(struct unread *unread, uint64_t *account);
void unread_clear(struct unread *unread);

#endif
