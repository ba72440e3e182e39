// SPDX-License-Identifier: GPL-2.0-or-later
// An intrusive chained hash table that doubles as it fills, so that finding one of 100,000 flows costs what finding
// one of ten does. The owner computes hashes (base/hash.h) and compares keys.
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_node {
    struct table_node *next;
    uint64_t hash;
};

struct table {
    struct table_node **buckets;
    size_t mask;  // buckets - 1; a power of two
    size_t count; // nodes in the table
};

void table_init(struct table *table);
// The nodes belong to the owner; only the buckets are freed.
void table_fini(struct table *table);
// `node` must not be in a table.
void table_insert(struct table *table, struct table_node *node, uint64_t hash);
// False when it was not there.
bool table_remove(struct table *table, struct table_node *node);
// The first node with this hash, and the next one behind `node`; NULL at the end.
struct table_node *table_first(const struct table *table, uint64_t hash);
struct table_node *table_next(const struct table_node *node);

#endif
