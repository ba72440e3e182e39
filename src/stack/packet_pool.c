// SPDX-License-Identifier: GPL-2.0-or-later
// Buffers for packets, recycled. Invariant: a buffer is either on the pool's list, or out with exactly one owner.
#include "stack/buffer.h"

#include "base/list.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

struct packet_pool {
    struct buffer **free; // a stack of `cached` buffers
    size_t cached;
    size_t limit; // room of `free`
    size_t out;
};

struct packet_pool *packet_pool_new(size_t cache)
{
    struct packet_pool *pool = memory_new(sizeof *pool);
    pool->limit = cache;
    pool->free = memory_new((cache > 0 ? cache : 1) * sizeof(struct buffer *));
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
static struct buffer *new_buffer(struct packet_pool *pool, size_t size)
{
    struct buffer *buffer = memory_resize(NULL, sizeof *buffer + size + BUFFER_SLACK);
    buffer->size = (uint32_t)size;
    buffer->packet.pool = pool;
    buffer->packet.bytes = buffer->room;
    return buffer;
}

static struct packet *reset(struct buffer *buffer)
{
    buffer->packet.vnet = (struct virtio_net_hdr){0};
    buffer->packet.len = 0;
    buffer->account = NULL;
    buffer->charge = 0;
    return &buffer->packet;
}

struct packet *packet_new(struct packet_pool *pool)
{
    pool->out++;
    return reset(pool->cached > 0 ? pool->free[--pool->cached] : new_buffer(pool, PACKET_SIZE));
}

struct packet *buffer_new_small(size_t size)
{
    return reset(new_buffer(NULL, size));
}

void packet_drop(struct packet *packet)
{
    struct buffer *buffer = container_of(packet, struct buffer, packet);
    struct packet_pool *pool = packet->pool;
    if (pool != NULL)
        pool->out--;
    if (pool != NULL && pool->cached < pool->limit)
        pool->free[pool->cached++] = buffer;
    else
        free(buffer);
}

size_t buffer_size(const struct packet *packet)
{
    return container_of(packet, struct buffer, packet)->size;
}

// Called by lwIP when the last reference to the pbuf is gone.
static void take_back(struct pbuf *pbuf)
{
    struct buffer *buffer = (struct buffer *)pbuf;
    *buffer->account -= buffer->charge;
    packet_drop(&buffer->packet);
}

struct pbuf *buffer_lend(struct packet *packet, uint8_t *at, uint16_t len, uint64_t *account)
{
    struct buffer *buffer = container_of(packet, struct buffer, packet);
    buffer->pbuf.custom_free_function = take_back;
    buffer->account = account;
    buffer->charge = BUFFER_OVERHEAD + (packet->pool != NULL ? len : buffer->size);
    *account += buffer->charge;
    return pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, &buffer->pbuf, at, len);
}

struct packet *buffer_packet(struct pbuf *pbuf)
{
    return &((struct buffer *)pbuf)->packet;
}
