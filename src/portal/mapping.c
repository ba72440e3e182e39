// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/mapping.h"

#include "base/memory.h"
#include "config/names_keys.h"
#include "edge/names/mapped.h"
#include "exchange/pools.h"

#include <stdlib.h>

struct mapping {
    struct pools *pools;
    struct names_mapped *mapped;
};

struct mapping *mapping_new(const struct names_keys *keys, struct exchange *exchange, struct prober *prober)
{
    struct mapping *mapping = memory_new(sizeof *mapping);
    struct address taken[NAMES_ADDRESSES_MAX];
    for (size_t i = 0; i < keys->addresses.count; i++)
        taken[i] = keys->addresses.items[i].addr;
    mapping->pools = pools_new(exchange, keys->pools.items, keys->pools.count, taken, keys->addresses.count);
    const struct names_mapped_config config = {
        .prober = prober,
        .ipv4 = pools_get(mapping->pools, 4),
        .ipv6 = pools_get(mapping->pools, 6),
        .domains = keys->domains.items,
        .domain_count = keys->domains.count,
        .has_servers = keys->servers.count,
    };
    mapping->mapped = names_mapped_new(&config);
    return mapping;
}

void mapping_free(struct mapping *mapping)
{
    if (!mapping)
        return;
    names_mapped_free(mapping->mapped);
    pools_free(mapping->pools);
    free(mapping);
}

struct names_source *mapping_source(struct mapping *mapping)
{
    return names_mapped_source(mapping->mapped);
}

struct guide *mapping_guide(struct mapping *mapping)
{
    return pools_guide(mapping->pools);
}

void mapping_describe(const struct mapping *mapping, struct facts *facts)
{
    pools_describe(mapping->pools, facts);
}
