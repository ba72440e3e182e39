// SPDX-License-Identifier: GPL-2.0-or-later
// A table by address, and a timeline in the order in which they were learnt.
#include "packet/path_mtu.h"

#include "base/memory.h"
#include "base/table.h"
#include "base/timeline.h"

#include <stdlib.h>

enum { KNOWN_MS = 600000 };

struct path_mtu {
    struct timed timed; // `own`: the MTU
    struct table_node by_address;
    struct address to;
};

struct path_mtus {
    const struct hash_key *key;
    struct table known;
    struct timeline order;
};

struct path_mtus *path_mtus_new(const struct hash_key *key)
{
    struct path_mtus *paths = memory_new(sizeof *paths);
    paths->key = key;
    table_init(&paths->known);
    timeline_init(&paths->order, KNOWN_MS);
    return paths;
}

static bool forget(struct path_mtus *paths, struct timed *timed)
{
    if (!timed)
        return false;
    struct path_mtu *path = container_of(timed, struct path_mtu, timed);
    table_remove(&paths->known, &path->by_address);
    free(path);
    return true;
}

void path_mtus_free(struct path_mtus *paths)
{
    while (forget(paths, timeline_pop(&paths->order)))
        ;
    table_fini(&paths->known);
    free(paths);
}

static uint64_t hash_of(const struct path_mtus *paths, const struct address *to)
{
    return hash_bytes(paths->key, to->bytes, sizeof to->bytes);
}

static struct path_mtu *find(const struct path_mtus *paths, const struct address *to, uint64_t hash)
{
    for (struct table_node *node = table_first(&paths->known, hash); node; node = table_next(node)) {
        struct path_mtu *path = container_of(node, struct path_mtu, by_address);
        if (address_equal(&path->to, to))
            return path;
    }
    return NULL;
}

void path_mtus_learn(struct path_mtus *paths, const struct address *to, uint32_t mtu, usec_t now)
{
    uint32_t moment = timeline_moment(now);
    while (forget(paths, timeline_expired(&paths->order, moment)))
        ;
    uint64_t hash = hash_of(paths, to);
    struct path_mtu *path = find(paths, to, hash);
    if (path && mtu >= path->timed.own)
        return;
    if (!path) {
        if (paths->known.count >= PATH_MTUS_MAX)
            forget(paths, timeline_pop(&paths->order));
        path = memory_new(sizeof *path);
        path->to = *to;
        list_init(&path->timed.node);
        table_insert(&paths->known, &path->by_address, hash);
    }
    path->timed.own = mtu;
    timeline_put(&paths->order, &path->timed, moment);
}

uint32_t path_mtus_to(const struct path_mtus *paths, const struct address *to, uint32_t most, usec_t now)
{
    if (!paths || paths->known.count == 0)
        return most;
    const struct path_mtu *path = find(paths, to, hash_of(paths, to));
    bool is_known = path && (int32_t)(path->timed.due - timeline_moment(now)) > 0;
    return is_known && path->timed.own < most ? path->timed.own : most;
}
