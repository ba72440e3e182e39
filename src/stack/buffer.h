// SPDX-License-Identifier: GPL-2.0-or-later
// What stands behind a struct packet: lwIP's custom pbuf in front, so that a packet becomes a pbuf and goes back to its
// pool without a copy. While lwIP or a flow holds a buffer it is charged to the stack's receive budget.
#ifndef STACK_BUFFER_H
#define STACK_BUFFER_H

#include "stack/packet.h"

#include "lwip/pbuf.h"

enum {
    BUFFER_OVERHEAD = 128, // bytes charged besides the data: our structure and the allocator's
    BUFFER_SLACK = 64,     // behind the room: lwIP reads TCP options (at most 40 bytes) without looking for the end
};

struct buffer {
    struct pbuf_custom pbuf; // first: lwIP hands back its address
    struct packet packet;
    uint64_t *account; // what the charge is taken off when lwIP or the flow lets go
    uint32_t charge;
    uint32_t size; // of `room` without the slack
    uint8_t room[];
};

// A buffer that is not pooled, for little data that are held for long.
struct packet *buffer_new_small(size_t size);
size_t buffer_size(const struct packet *packet);
// `len` bytes at `at`, inside the packet's buffer, as a pbuf that owns the packet. Adds the charge to `account`: the
// bytes lent of a pooled buffer (a flow that holds few gets a small one before long), the size of a small one.
struct pbuf *buffer_lend(struct packet *packet, uint8_t *at, uint16_t len, uint64_t *account);
struct packet *buffer_packet(struct pbuf *pbuf);

#endif
