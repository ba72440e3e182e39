// SPDX-License-Identifier: GPL-2.0-or-later
#include "usher/origins.h"

#include "base/list.h"
#include "base/memory.h"

#include <stdlib.h>

struct origin {
    struct table_node node; // its hash is the identifier
    struct endpoint who;
};

// Identifiers are few and told apart by all their bits, so each is a hash of its own.
static struct origin *find(const struct origins *origins, uint16_t id)
{
    struct table_node *node = origins->used ? table_first(&origins->table, id) : NULL;
    return node ? container_of(node, struct origin, node) : NULL;
}

bool origins_put(struct origins *origins, uint16_t id, const struct endpoint *who, uint32_t max)
{
    struct origin *origin = find(origins, id);
    if (!origin) {
        if (!origins->used)
            table_init(&origins->table);
        origins->used = true;
        if (origins->table.count >= max)
            return false;
        origin = memory_new(sizeof *origin);
        table_insert(&origins->table, &origin->node, id);
    }
    origin->who = *who;
    return true;
}

const struct endpoint *origins_find(const struct origins *origins, uint16_t id)
{
    const struct origin *origin = find(origins, id);
    return origin ? &origin->who : NULL;
}

static void drop(struct origins *origins, struct origin *origin)
{
    table_remove(&origins->table, &origin->node);
    free(origin);
}

void origins_drop(struct origins *origins, uint16_t id)
{
    struct origin *origin = find(origins, id);
    if (origin)
        drop(origins, origin);
}

void origins_fini(struct origins *origins)
{
    if (!origins->used)
        return;
    for (uint32_t id = 0; id <= UINT16_MAX && origins->table.count; id++)
        origins_drop(origins, (uint16_t)id);
    table_fini(&origins->table);
}
