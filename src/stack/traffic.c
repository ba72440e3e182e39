// SPDX-License-Identifier: GPL-2.0-or-later
// A recycled one is empty, but keeps the ring of its unacked.
#include "stack/traffic.h"

#include "base/memory.h"

#include <stdlib.h>

enum { CACHE_LIMIT = 256 }; // free ones kept: more flows are seldom busy at once, and below it no burst allocates

struct traffic *traffic_new(struct traffic_cache *cache, struct stack_flow *flow)
{
    struct traffic *traffic = cache->free;
    if (traffic) {
        cache->free = traffic->next_free;
        cache->count--;
    } else {
        traffic = memory_new(sizeof *traffic);
        list_init(&traffic->ack);
        list_init(&traffic->standing);
        list_init(&traffic->slow);
    }
    traffic->flow = flow;
    return traffic;
}

static void destroy(struct traffic *traffic)
{
    unacked_fini(&traffic->unacked);
    free(traffic);
}

void traffic_free(struct traffic_cache *cache, struct traffic *traffic)
{
    unread_clear(&traffic->unread);
    unacked_clear(&traffic->unacked);
    list_remove(&traffic->ack);
    list_remove(&traffic->standing);
    list_remove(&traffic->slow);
    if (cache->count == CACHE_LIMIT) {
        destroy(traffic);
        return;
    }
    traffic->unreturned = traffic->acked = 0;
    traffic->next_free = cache->free;
    cache->free = traffic;
    cache->count++;
}

void traffic_cache_fini(struct traffic_cache *cache)
{
    while (cache->free) {
        struct traffic *traffic = cache->free;
        cache->free = traffic->next_free;
        destroy(traffic);
    }
    cache->count = 0;
}

bool traffic_is_over(const struct traffic *traffic)
{
    return !traffic->unread.head && unacked_is_empty(&traffic->unacked) && !list_is_linked(&traffic->ack) &&
           !list_is_linked(&traffic->slow) && traffic->unreturned == 0 && traffic->acked == 0;
}
