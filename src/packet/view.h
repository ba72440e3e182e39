// SPDX-License-Identifier: GPL-2.0-or-later
// A checked view of an IP packet's headers. TCP (through lwIP) and the captures of UDP and ICMP start here.
#ifndef PACKET_VIEW_H
#define PACKET_VIEW_H

#include "base/address.h"

// What the headers say, checked against the length: every pointer lies inside the packet.
struct packet_view {
    struct address src;
    struct address dst;
    uint8_t protocol; // the upper layer's, behind IPv6 extension headers
    uint8_t ttl;
    uint16_t header_len; // IP header with options or extension headers
    const uint8_t *ip;
    uint8_t *upper;     // upper-layer header
    uint32_t upper_len; // bytes from `upper` to the end of the IP packet
    bool fragment;      // a part of a larger datagram: `upper` is raw
    bool more_fragments;
    uint32_t fragment_offset; // bytes
    uint32_t fragment_id;
};

// False when it is no well-formed IPv4 or IPv6 packet: lengths that contradict, extension headers that run past the
// end, TTL 0, a source that no host may have (zero, multicast, broadcast, loopback).
bool packet_parse(struct packet_view *out, const uint8_t *bytes, size_t len);

#endif
