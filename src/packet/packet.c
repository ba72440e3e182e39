// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: a buffer is either among the pool's free ones, or out with exactly one owner.
#include "packet/packet.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

struct packet_pool {
    struct packet **free; // a stack of `cached` buffers
    size_t cached;
    size_t limit; // room of `free`
    size_t out;
};

struct packet_pool *packet_pool_new(size_t cache)
{
    struct packet_pool *pool = memory_new(sizeof *pool);
    pool->limit = cache;
    pool->free = memory_new((cache > 0 ? cache : 1) * sizeof *pool->free);
    return pool;
}

void packet_pool_free(struct packet_pool *pool)
{
    assert(pool->out == 0);
    packet_pool_trim(pool, 0);
    free(pool->free);
    free(pool);
}

void packet_pool_trim(struct packet_pool *pool, size_t keep)
{
    while (pool->cached > keep)
        free(pool->free[--pool->cached]);
}

// The room is left as it is: clearing 64 KiB a packet would cost more than all the rest.
static struct packet *allocate(struct packet_pool *pool, size_t size)
{
    struct packet *packet = memory_resize(NULL, sizeof *packet + size + PACKET_SLACK);
    packet->pool = pool;
    packet->size = (uint32_t)size;
    return packet;
}

static struct packet *reset(struct packet *packet)
{
    packet->vnet = (struct virtio_net_hdr){0};
    packet->len = 0;
    return packet;
}

struct packet *packet_new(struct packet_pool *pool)
{
    pool->out++;
    return reset(pool->cached > 0 ? pool->free[--pool->cached] : allocate(pool, PACKET_SIZE));
}

struct packet *packet_new_small(size_t size)
{
    return reset(allocate(NULL, size));
}

void packet_drop(struct packet *packet)
{
    struct packet_pool *pool = packet->pool;
    if (pool)
        pool->out--;
    if (pool && pool->cached < pool->limit)
        pool->free[pool->cached++] = packet;
    else
        free(packet);
}
