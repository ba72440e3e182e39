// SPDX-License-Identifier: GPL-2.0-or-later
// Packets we make ourselves towards an application: ICMP errors, echo replies, UDP datagrams. Each builds headers (and
// for UDP and echo a partial or full checksum) in `head`, to be written to the device in front of the caller's payload.
#ifndef PACKET_CRAFT_H
#define PACKET_CRAFT_H

#include "base/address.h"

#include <linux/virtio_net.h>

enum {
    CRAFT_HEAD_SIZE = 128,   // headers of any of these
    CRAFT_ERROR_SIZE = 1280, // a whole ICMP error (RFC 4443 section 2.4: at most the minimum MTU)
};

enum craft_error { CRAFT_NO_HOST, CRAFT_NO_NET, CRAFT_NO_PORT, CRAFT_PROHIBITED };

// A whole ICMPv4 or ICMPv6 destination-unreachable that quotes `offender` (an IP packet, at least header and 8 bytes)
// and comes from the address the offender was sent to. Returns its length.
size_t craft_icmp_error(uint8_t room[CRAFT_ERROR_SIZE], enum craft_error error, const uint8_t *offender, size_t len);

// Headers of a UDP datagram of `len` payload bytes. Fills `vnet` for checksum offload when `offload`; else computes the
// checksum over `payload`. Returns the length of the headers.
size_t craft_udp(uint8_t head[CRAFT_HEAD_SIZE], struct virtio_net_hdr *vnet, bool offload, const struct endpoint *from,
                 const struct endpoint *to, const uint8_t *payload, size_t len);
// Headers of an echo reply (the checksum is always full).
size_t craft_echo_reply(uint8_t head[CRAFT_HEAD_SIZE], const struct address *from, const struct address *to,
                        uint16_t identifier, uint16_t sequence, const uint8_t *payload, size_t len);

#endif
