// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: a node is in the bucket of its hash, and there are never more nodes than buckets, so chains stay short.
#include "base/table.h"

#include "base/memory.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 64 };

void table_init(struct table *table)
{
    table->buckets = memory_new(BUCKETS_FIRST * sizeof *table->buckets);
    table->mask = BUCKETS_FIRST - 1;
    table->count = 0;
}

void table_fini(struct table *table)
{
    free(table->buckets);
    table->buckets = NULL;
}

static void link_node(struct table *table, struct table_node *node)
{
    struct table_node **bucket = &table->buckets[node->hash & table->mask];
    node->next = *bucket;
    *bucket = node;
}

static void grow(struct table *table)
{
    struct table_node **old = table->buckets;
    size_t size = table->mask + 1;
    table->buckets = memory_new(2 * size * sizeof *table->buckets);
    table->mask = 2 * size - 1;
    for (size_t i = 0; i < size; i++) {
        for (struct table_node *node = old[i], *next; node; node = next) {
            next = node->next;
            link_node(table, node);
        }
    }
    free(old);
}

void table_insert(struct table *table, struct table_node *node, uint64_t hash)
{
    if (table->count > table->mask)
        grow(table);
    node->hash = hash;
    link_node(table, node);
    table->count++;
}

bool table_remove(struct table *table, struct table_node *node)
{
    for (struct table_node **at = &table->buckets[node->hash & table->mask]; *at; at = &(*at)->next) {
        if (*at == node) {
            *at = node->next;
            node->next = NULL;
            table->count--;
            return true;
        }
    }
    return false;
}

static struct table_node *skip_to(struct table_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct table_node *table_first(const struct table *table, uint64_t hash)
{
    return skip_to(table->buckets[hash & table->mask], hash);
}

struct table_node *table_next(const struct table_node *node)
{
    return skip_to(node->next, node->hash);
}
