// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/sources.h"

#include "base/memory.h"
#include "os/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sources_init(struct sources *sources)
{
    table_init(&sources->table);
    list_init(&sources->crashed.list);
    list_init(&sources->recent.list);
    list_init(&sources->known.list);
    random_fill(&sources->key, sizeof sources->key);
}

void sources_fini(struct sources *sources)
{
    sources_forget_old(sources, USEC_NEVER);
    assert(sources->table.count == 0);
    table_fini(&sources->table);
}

static struct address source_of(const struct address *addr)
{
    struct address source = *addr;
    if (source.version == 6)
        memset(source.bytes + 8, 0, 8);
    return source;
}

static struct source *find(const struct sources *sources, const struct address *addr, uint64_t *hash)
{
    *hash = hash_bytes(&sources->key, addr, sizeof *addr);
    struct table_node *node = table_first(&sources->table, *hash);
    for (; node; node = table_next(node)) {
        struct source *source = container_of(node, struct source, node);
        if (address_equal(&source->addr, addr))
            return source;
    }
    return NULL;
}

struct source *sources_need(struct sources *sources, const struct address *addr, usec_t now)
{
    uint64_t hash;
    struct address key = source_of(addr);
    struct source *source = find(sources, &key, &hash);
    if (source)
        return source;
    source = memory_new(sizeof *source);
    source->addr = key;
    list_init(&source->crashed);
    list_init(&source->recent);
    list_init(&source->known);
    bucket_init(&source->starts, SOURCES_RATE, SOURCES_BURST, now);
    table_insert(&sources->table, &source->node, hash);
    return source;
}

static void remember(struct source_memory *memory, struct list *node)
{
    memory->count += !list_is_linked(node);
    list_remove(node);
    list_push_back(&memory->list, node);
}

static void forget(struct source_memory *memory, struct list *node)
{
    memory->count -= list_is_linked(node);
    list_remove(node);
}

static void forget_crashes(struct sources *sources, struct source *source)
{
    forget(&sources->crashed, &source->crashed);
    source->crashes = 0;
}

void sources_release(struct sources *sources, struct source *source)
{
    if (source->places || source->tunnels || list_is_linked(&source->crashed) || list_is_linked(&source->recent) ||
        list_is_linked(&source->known))
        return;
    table_remove(&sources->table, &source->node);
    free(source);
}

void sources_forget_old(struct sources *sources, usec_t now)
{
    struct source_memory *crashed = &sources->crashed, *recent = &sources->recent, *known = &sources->known;
    while (crashed->count) {
        struct source *oldest = container_of(crashed->list.next, struct source, crashed);
        if (oldest->forgotten > now && crashed->count <= SOURCES_CRASHED_MAX)
            break;
        forget_crashes(sources, oldest);
        sources_release(sources, oldest);
    }
    while (recent->count) {
        struct source *oldest = container_of(recent->list.next, struct source, recent);
        if (oldest->came + SOURCES_RECENT_S * USEC_PER_SEC > now && recent->count <= SOURCES_RECENT_MAX)
            break;
        forget(recent, &oldest->recent);
        sources_release(sources, oldest);
    }
    while (known->count > (now == USEC_NEVER ? 0 : SOURCES_KNOWN_MAX)) {
        struct source *oldest = container_of(known->list.next, struct source, known);
        forget(known, &oldest->known);
        sources_release(sources, oldest);
    }
}

bool source_is_known(const struct source *source)
{
    return source->tunnels || list_is_linked(&source->known);
}

bool sources_came(struct sources *sources, struct source *source, usec_t now)
{
    bool is_fresh = !list_is_linked(&source->recent);
    source->came = now;
    remember(&sources->recent, &source->recent);
    return is_fresh;
}

void sources_logged_in(struct sources *sources, struct source *source, usec_t now)
{
    if (!source_is_known(source))
        bucket_init(&source->starts, SOURCES_KNOWN_RATE, SOURCES_KNOWN_BURST, now);
    source->tunnels++;
    remember(&sources->known, &source->known);
    sources_forget_old(sources, now);
}

void sources_logged_out(struct sources *sources, struct source *source)
{
    source->tunnels--;
    remember(&sources->known, &source->known);
}

void sources_crashed(struct sources *sources, const struct address *addr, usec_t now)
{
    struct source *source = sources_need(sources, addr, now);
    uint64_t penalty = SOURCES_PENALTY_S;
    for (uint32_t i = 0; i < source->crashes && penalty < SOURCES_PENALTY_MAX_S; i++)
        penalty *= 2;
    source->crashes++;
    source->until = now + penalty * USEC_PER_SEC;
    source->forgotten = now + SOURCES_MEMORY_S * USEC_PER_SEC;
    remember(&sources->crashed, &source->crashed);
    sources_forget_old(sources, now);
}

// For the next program. A source that is remembered for both reasons has an entry for each.

struct entry {
    struct address addr;
    bool known; // else it has crashed
    uint32_t crashes;
    usec_t until, forgotten;
};

enum { ENTRY_SIZE = 1 + 16 + 1 + 4 + 2 * 8 }; // bytes

static void walk(struct wire *wire, struct entry *entry)
{
    wire_address(wire, &entry->addr);
    wire_switch(wire, &entry->known);
    wire_u32(wire, &entry->crashes);
    wire_u64(wire, &entry->until);
    wire_u64(wire, &entry->forgotten);
    wire_require(wire, entry->addr.version != 0);
}

size_t sources_saved_size(const struct sources *sources)
{
    return (size_t)(sources->crashed.count + sources->known.count) * ENTRY_SIZE;
}

static void save(struct wire *wire, const struct source *source, bool known)
{
    struct entry entry = {source->addr, known, source->crashes, source->until, source->forgotten};
    walk(wire, &entry);
}

void sources_save(const struct sources *sources, struct wire *wire)
{
    list_for_each(node, &sources->crashed.list)
        save(wire, container_of(node, struct source, crashed), false);
    list_for_each(node, &sources->known.list)
        save(wire, container_of(node, struct source, known), true);
}

static void load(struct sources *sources, const struct entry *entry, usec_t now)
{
    struct source *source = sources_need(sources, &entry->addr, now);
    if (entry->known) {
        remember(&sources->known, &source->known);
        return;
    }
    source->crashes = entry->crashes;
    source->until = entry->until;
    source->forgotten = entry->forgotten;
    remember(&sources->crashed, &source->crashed);
}

void sources_load(struct sources *sources, struct wire *wire, usec_t now)
{
    while (!wire_failed(wire) && reader_left(&wire->r) > 0) {
        struct entry entry;
        walk(wire, &entry);
        if (!wire_failed(wire))
            load(sources, &entry, now);
    }
    sources_forget_old(sources, now);
}
