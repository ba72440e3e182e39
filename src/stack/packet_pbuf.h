// SPDX-License-Identifier: GPL-2.0-or-later
// A packet as a pbuf of lwIP's and back, without a copy. While lwIP or a flow holds one it is charged to the stack's
// receive budget.
#ifndef STACK_PACKET_PBUF_H
#define STACK_PACKET_PBUF_H

#include "packet/packet.h"

#include "lwip/pbuf.h"

// `len` bytes at `at`, inside the packet, as a pbuf that owns the packet. Adds the charge to `account`: the bytes lent of
// a pooled packet (a flow that holds few gets a small one before long), the size of a small one.
struct pbuf *packet_to_pbuf(struct packet *packet, uint8_t *at, uint16_t len, uint64_t *account);
struct packet *packet_of_pbuf(struct pbuf *pbuf);

#endif
