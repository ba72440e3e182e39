// SPDX-License-Identifier: GPL-2.0-or-later
// ICMP and ICMPv6 echo messages (RFC 792, RFC 4443) and the errors about them, as bytes. No I/O.
#ifndef EDGE_DIAL_ECHO_H
#define EDGE_DIAL_ECHO_H

#include "base/address.h"

#include <stddef.h>

enum { ECHO_HEADER = 8 };

// What came in about one of our echo requests.
struct echo_news {
    int error;           // 0: a reply; else errno of what an ICMP error says
    struct address from; // of a reply: who answered; of an error: where the request was going
    uint16_t id;
    uint16_t sequence;
    const uint8_t *bytes; // payload of a reply, within the packet
    size_t len;
};

// The header of a request; the version 4 checksum covers the payload (version 6: the kernel computes it).
void echo_request_write(uint8_t header[ECHO_HEADER], uint8_t version, uint16_t id, uint16_t sequence,
                        const uint8_t *payload, size_t len);
// A packet of a raw version 4 socket, IP header and all. False when it is nothing of ours.
bool echo4_read(struct echo_news *out, const uint8_t *packet, size_t len);
// A message of a raw version 6 socket, which `from` sent.
bool echo6_read(struct echo_news *out, const struct address *from, const uint8_t *message, size_t len);

#endif
