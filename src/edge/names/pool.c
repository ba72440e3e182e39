// SPDX-License-Identifier: GPL-2.0-or-later
// Every entry is on one list, in order of its last use. Since each use puts it last, the first is the longest unused, and if
// that is not free yet none is. Flows that are open are not counted: before an address may change its name they are looked
// at, all of them at once. A flow that began after that look has used its address then, so one that has not been used since
// is nobody's.
#include "edge/names/pool.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ENTRIES = 64 }; // room to begin with; doubled as needed

struct entry {
    struct table_node by_name; // first
    struct list in_use;        // pool.entries, by `used`
    uint32_t offset;           // of its address
    usec_t used;
    char *name;
};

struct pool {
    struct pool_config config;
    struct address taken[POOL_TAKEN_MAX];
    uint32_t size;          // addresses that can stand for a name
    uint32_t next;          // the first offset that was never given; beyond the last: none is left
    uint32_t last;          // offset
    struct entry **entries; // by offset, `room` of them
    uint32_t room;
    struct table names;
    struct list entries_by_use;
    usec_t swept;
};

// The last 32 bits of an address, which no pool's prefix reaches into further than its size.
static uint32_t low_bits(const struct address *addr)
{
    const uint8_t *at = addr->bytes + (addr->version == 4 ? 0 : 12);
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static struct address address_at(const struct pool *pool, uint32_t offset)
{
    struct address addr = pool->config.prefix.addr;
    uint8_t *at = addr.bytes + (addr.version == 4 ? 0 : 12);
    uint32_t bits = low_bits(&addr) + offset;
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(bits >> (24 - 8 * i));
    return addr;
}

static bool is_taken(const struct pool *pool, const struct address *addr)
{
    for (size_t i = 0; i < pool->config.taken_count; i++)
        if (address_equal(&pool->taken[i], addr))
            return true;
    return false;
}

static uint32_t last_offset(const struct prefix *prefix)
{
    unsigned bits = (prefix->addr.version == 4 ? 32u : 128u) - prefix->len;
    uint64_t addresses = bits < 32 ? (uint64_t)1 << bits : (uint64_t)1 << 32;
    return (uint32_t)(addresses - 2);
}

// Where an address is; 0, at which nothing ever is, for one that is in no reach.
static uint32_t offset_of(const struct pool *pool, const struct address *addr)
{
    uint32_t offset = low_bits(addr) - low_bits(&pool->config.prefix.addr);
    struct address there = address_at(pool, offset);
    return address_equal(addr, &there) ? offset : 0;
}

struct pool *pool_new(const struct pool_config *config)
{
    struct pool *pool = memory_new(sizeof *pool);
    pool->config = *config;
    pool->last = last_offset(&config->prefix);
    pool->next = 1;
    pool->size = pool->last;
    for (size_t i = 0; i < config->taken_count; i++) {
        uint32_t offset = offset_of(pool, &config->taken[i]);
        pool->taken[i] = config->taken[i];
        pool->size -= offset > 0 && offset <= pool->last;
    }
    if (pool->size > POOL_MAX)
        pool->size = POOL_MAX;
    table_init(&pool->names);
    list_init(&pool->entries_by_use);
    return pool;
}

static struct entry *entry_of(struct list *node)
{
    return container_of(node, struct entry, in_use);
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (struct list *node; (node = list_pop_front(&pool->entries_by_use));) {
        free(entry_of(node)->name);
        free(entry_of(node));
    }
    table_fini(&pool->names);
    free(pool->entries);
    free(pool);
}

bool pool_has(const struct pool *pool, const struct address *addr)
{
    return prefix_contains(&pool->config.prefix, addr);
}

static void use(struct pool *pool, struct entry *entry, usec_t now)
{
    entry->used = now;
    list_remove(&entry->in_use);
    list_push_back(&pool->entries_by_use, &entry->in_use);
}

static bool is_unused(const struct entry *entry, usec_t since_s, usec_t now)
{
    return now >= entry->used + since_s * USEC_PER_SEC;
}

static void sweep(struct pool *pool, usec_t now)
{
    if (pool->swept && now < pool->swept + POOL_SWEEP_S * USEC_PER_SEC)
        return;
    pool->swept = now;
    pool->config.sweep(pool->config.owner, now);
}

static struct entry *entry_at(const struct pool *pool, const struct address *addr)
{
    if (!pool_has(pool, addr))
        return NULL;
    uint32_t offset = offset_of(pool, addr);
    return offset < pool->room ? pool->entries[offset] : NULL;
}

static uint64_t hash_of(const struct pool *pool, const char *name)
{
    return hash_bytes(&pool->config.key, name, strlen(name));
}

static struct entry *find(const struct pool *pool, const char *name, uint64_t hash)
{
    for (struct table_node *node = table_first(&pool->names, hash); node; node = table_next(node))
        if (!strcmp(((struct entry *)node)->name, name))
            return (struct entry *)node;
    return NULL;
}

// Stands for nothing any more, and could be taken next.
static bool is_over(struct pool *pool, struct entry *entry, usec_t now)
{
    if (is_unused(entry, POOL_KEEP_S, now))
        sweep(pool, now);
    return is_unused(entry, POOL_KEEP_S, now);
}

static struct entry *add_fresh(struct pool *pool)
{
    while (pool->next <= pool->last) {
        struct address addr = address_at(pool, pool->next);
        if (!is_taken(pool, &addr))
            break;
        pool->next++;
    }
    if (pool->next > pool->last || pool->names.count == pool->size)
        return NULL;
    if (pool->next >= pool->room) {
        uint32_t room = pool->room ? 2 * pool->room : FIRST_ENTRIES;
        pool->entries = memory_resize(pool->entries, room * sizeof(struct entry *));
        memset(pool->entries + pool->room, 0, (room - pool->room) * sizeof(struct entry *));
        pool->room = room;
    }
    struct entry *entry = memory_new(sizeof *entry);
    entry->offset = pool->next++;
    pool->entries[entry->offset] = entry;
    list_init(&entry->in_use);
    return entry;
}

// The longest unused, taken from its name; NULL when it is still in use.
static struct entry *take_over(struct pool *pool, usec_t now)
{
    if (list_is_empty(&pool->entries_by_use) || !is_unused(entry_of(pool->entries_by_use.next), POOL_GRACE_S, now))
        return NULL;
    sweep(pool, now);
    struct entry *entry = entry_of(pool->entries_by_use.next);
    if (!is_unused(entry, POOL_GRACE_S, now))
        return NULL;
    table_remove(&pool->names, &entry->by_name);
    free(entry->name);
    return entry;
}

bool pool_address(struct pool *pool, const char *name, struct address *out, usec_t now)
{
    uint64_t hash = hash_of(pool, name);
    struct entry *entry = find(pool, name, hash);
    if (!entry) {
        entry = add_fresh(pool);
        if (!entry)
            entry = take_over(pool, now);
        if (!entry)
            return false;
        entry->name = memory_text(name);
        table_insert(&pool->names, &entry->by_name, hash);
    }
    use(pool, entry, now);
    *out = address_at(pool, entry->offset);
    return true;
}

const char *pool_name(struct pool *pool, const struct address *addr, usec_t now)
{
    struct entry *entry = entry_at(pool, addr);
    return entry && !is_over(pool, entry, now) ? entry->name : NULL;
}

void pool_use(struct pool *pool, const struct address *addr, usec_t now)
{
    struct entry *entry = entry_at(pool, addr);
    if (entry)
        use(pool, entry, now);
}

uint32_t pool_count(const struct pool *pool)
{
    return (uint32_t)pool->names.count;
}

uint32_t pool_size(const struct pool *pool)
{
    return pool->size;
}
