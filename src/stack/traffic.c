// SPDX-License-Identifier: GPL-2.0-or-later
// A recycled one is empty, but keeps the ring of its outbox.
#include "stack/traffic.h"

#include "base/memory.h"

#include <stdlib.h>

enum { CACHE_LIMIT = 256 }; // free ones kept: more flows are seldom busy at once, and below it no burst allocates

struct traffic *traffic_new(struct traffic_cache *cache, struct stack_flow *flow)
{
    struct traffic *traffic = cache->free;
    if (traffic != NULL) {
        cache->free = traffic->next_free;
        cache->count--;
    } else {
        traffic = memory_new(sizeof *traffic);
        list_init(&traffic->ack);
        list_init(&traffic->holds);
    }
    traffic->flow = flow;
    return traffic;
}

static void destroy(struct traffic *traffic)
{
    outbox_fini(&traffic->outbox);
    free(traffic);
}

void traffic_free(struct traffic_cache *cache, struct traffic *traffic)
{
    inbox_clear(&traffic->inbox);
    outbox_clear(&traffic->outbox);
    list_remove(&traffic->ack);
    list_remove(&traffic->holds);
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
    while (cache->free != NULL) {
        struct traffic *traffic = cache->free;
        cache->free = traffic->next_free;
        destroy(traffic);
    }
    cache->count = 0;
}

bool traffic_is_over(const struct traffic *traffic)
{
    return traffic->inbox.head == NULL && outbox_is_empty(&traffic->outbox) && !list_is_linked(&traffic->ack) &&
           traffic->unreturned == 0 && traffic->acked == 0;
}
