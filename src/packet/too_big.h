// SPDX-License-Identifier: GPL-2.0-or-later
// What a router between us and an application says of a packet of ours: that it is larger than the next link takes
// (RFC 1191, RFC 8201). Anybody can say so: whoever acts on it first looks whether such a packet is on its way.
#ifndef PACKET_TOO_BIG_H
#define PACKET_TOO_BIG_H

#include "packet/view.h"

enum {
    MTU_LEAST_V4 = 552, // Linux's net.ipv4.route.min_pmtu: less is more likely an attack than a link
    MTU_LEAST_V6 = 1280,
};

struct too_big {
    uint32_t mtu;            // what is taken: no less than the least of its IP version
    uint8_t protocol;        // of the packet that is quoted
    struct endpoint outside; // where that one came from: the far end
    struct endpoint inside;  // whom it was for; of an echo reply the port is its identifier
    uint32_t seq;            // of a TCP segment
};

// `view`: a whole ICMP packet whose checksum is right. False when it says something else, or quotes what cannot be ours.
bool too_big_parse(struct too_big *out, const struct packet_view *view);

#endif
