// SPDX-License-Identifier: GPL-2.0-or-later
// An IP packet from the TUN device: the buffer it was read into, and a checked view of its headers. Both TCP (through
// lwIP, which takes the buffer over) and the captures of UDP and ICMP start here.
#ifndef STACK_PACKET_H
#define STACK_PACKET_H

#include "base/address.h"

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { PACKET_SIZE = 65536 }; // the largest IP packet, and the room of every buffer

struct packet_pool;

struct packet {
    struct packet_pool *pool;
    struct virtio_net_hdr vnet; // as the device gave it; zeros without offload
    uint32_t len;               // bytes used in `bytes`
    uint8_t *bytes;             // PACKET_SIZE of room and some slack behind it
};

// Keeps at most `cache` free buffers.
struct packet_pool *packet_pool_new(size_t cache);
void packet_pool_free(struct packet_pool *pool);
void packet_pool_trim(struct packet_pool *pool, size_t keep);
struct packet *packet_new(struct packet_pool *pool);
void packet_drop(struct packet *packet);

// Whether the kernel answers for the upper layer's checksum: it left it half done, or has checked it itself.
static inline bool packet_is_vouched_for(const struct virtio_net_hdr *vnet)
{
    return (vnet->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0;
}

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
