// SPDX-License-Identifier: GPL-2.0-or-later
// An address that is led is used by that. So flows that begin renew it by themselves, as does each datagram; of those that
// last the exchange knows.
#include "exchange/pools.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IPV4, IPV6, FAMILIES };

struct pools {
    struct guide guide; // first
    struct exchange *exchange;
    struct prefix prefixes[FAMILIES];
    struct pool *pools[FAMILIES]; // NULL: none
};

static struct pool *pool_for(const struct pools *pools, const struct address *addr)
{
    struct pool *pool = pools->pools[addr->version == 4 ? IPV4 : IPV6];
    return pool && pool_has(pool, addr) ? pool : NULL;
}

static enum guide_answer lead(const struct guide *guide, struct usher_open *open)
{
    const struct pools *pools = (const struct pools *)guide;
    const struct address addr = open->addr;
    struct pool *pool = addr.version ? pool_for(pools, &addr) : NULL;
    if (!pool)
        return GUIDE_NOT_MINE;
    usec_t now = clock_now();
    const char *name = pool_name(pool, &addr, now);
    if (!name)
        return GUIDE_NOBODY;
    snprintf(open->host, sizeof open->host, "%s", name);
    open->addr = (struct address){0};
    pool_use(pool, &addr, now);
    return GUIDE_LEADS;
}

struct look {
    const struct pools *pools;
    usec_t now;
};

static void see(void *arg, const struct flow_info *info)
{
    const struct look *look = arg;
    struct address addr = info->outside.addr;
    if (addr.version == 0 && (!info->host || !address_parse(&addr, info->host)))
        return;
    struct pool *pool = pool_for(look->pools, &addr);
    if (pool)
        pool_use(pool, &addr, look->now);
}

static void sweep(void *owner, usec_t now)
{
    struct pools *pools = owner;
    struct look look = {.pools = pools, .now = now};
    exchange_each_flow(pools->exchange, see, &look, now);
}

struct pools *pools_new(struct exchange *exchange, const struct prefix *prefixes, size_t count,
                        const struct address *taken, size_t taken_count)
{
    struct pools *pools = memory_new(sizeof *pools);
    pools->guide.lead = lead;
    pools->exchange = exchange;
    for (size_t i = 0; i < count; i++) {
        int family = prefixes[i].addr.version == 4 ? IPV4 : IPV6;
        struct pool_config config = {
            .prefix = prefixes[i], .taken = taken, .taken_count = taken_count, .sweep = sweep, .owner = pools};
        random_fill(&config.key, sizeof config.key);
        pools->prefixes[family] = prefixes[i];
        pools->pools[family] = pool_new(&config);
    }
    return pools;
}

void pools_free(struct pools *pools)
{
    if (!pools)
        return;
    for (int i = 0; i < FAMILIES; i++)
        pool_free(pools->pools[i]);
    free(pools);
}

struct guide *pools_guide(struct pools *pools)
{
    return &pools->guide;
}

struct pool *pools_get(const struct pools *pools, uint8_t version)
{
    return pools->pools[version == 4 ? IPV4 : IPV6];
}

void pools_describe(const struct pools *pools, struct facts *facts)
{
    char prefix[PREFIX_TEXT_SIZE];
    facts_list(facts, "pools");
    for (int i = 0; i < FAMILIES; i++) {
        if (!pools->pools[i])
            continue;
        struct fact_label label = {.name = "prefix", .value = prefix_text(&pools->prefixes[i], prefix)};
        facts_item(facts, &label);
        facts_text(facts, "prefix", "a network whose addresses stand for names", prefix);
        facts_gauge(facts, "names", "names that have an address in it", FACT_COUNT, pool_count(pools->pools[i]));
        facts_gauge(facts, "size", "names that can have one", FACT_COUNT, pool_size(pools->pools[i]));
        facts_item_end(facts);
    }
    facts_end(facts);
}
