// SPDX-License-Identifier: GPL-2.0-or-later
// The buffers that packets of the TUN device are read into, recycled. A buffer has one owner at a time; whoever takes a
// packet over may keep what it needs about it in the packet itself.
#ifndef PACKET_PACKET_H
#define PACKET_PACKET_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PACKET_SIZE = 65536,    // the largest IP packet, and the room of every buffer of a pool
    PACKET_SLACK = 64,      // behind the room: lwIP reads TCP options (at most 40 bytes) without looking for the end
    PACKET_ATTACHMENT = 48, // bytes
};

struct packet_pool;

struct packet {
    struct packet_pool *pool;                               // NULL: goes back to the heap
    uint32_t size;                                          // of the room at `bytes`, without the slack
    uint32_t len;                                           // bytes used of it
    struct virtio_net_hdr vnet;                             // as the device gave it; zeros without offload
    _Alignas(void *) uint8_t attachment[PACKET_ATTACHMENT]; // its present owner's: the stack keeps lwIP's pbuf there
    uint8_t bytes[];
};

// Keeps at most `cache` free buffers.
struct packet_pool *packet_pool_new(size_t cache);
void packet_pool_free(struct packet_pool *pool);
void packet_pool_trim(struct packet_pool *pool, size_t keep);
struct packet *packet_new(struct packet_pool *pool);
// One of `size` bytes that is not pooled, for little data that are held for long.
struct packet *packet_new_small(size_t size);
void packet_drop(struct packet *packet);

// Whether the kernel answers for the upper layer's checksum: it left it half done, or has checked it itself.
static inline bool packet_is_vouched_for(const struct virtio_net_hdr *vnet)
{
    return vnet->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
}

#endif
