// SPDX-License-Identifier: GPL-2.0-or-later
// Packets towards the device: lwIP's, with the vnet header that lets the kernel cut and checksum them, and our own.
#ifndef STACK_OUTPUT_H
#define STACK_OUTPUT_H

#include "stack/flow.h"

// Functions of the lwIP interface whose `state` is the stack.
err_t output_v4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next_hop);
err_t output_v6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *next_hop);
// A finished packet with all its checksums. Lost when the device does not take it: whoever asked will ask again.
void output_bytes(struct stack *stack, const uint8_t *bytes, size_t len);

#endif
