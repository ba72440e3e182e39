// SPDX-License-Identifier: GPL-2.0-or-later
// One entry for each source that has a connection under way or a crash to its name.

#include "gate/admission.h"

#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"
#include "os/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct source {
    struct table_node node;
    struct list crashed; // in admission->crashed, the oldest crash first
    struct address addr;
    uint32_t count;
    uint32_t crashes;
    usec_t until;     // refused before
    usec_t forgotten; // when `crashes` no longer counts
};

struct admission {
    struct table sources;
    struct list crashed;
    uint32_t crashed_count;
    struct hash_key key;
    uint32_t count, most, most_per_source;
    uint64_t refused, crashes;
};

static struct address source_of(const struct address *addr)
{
    struct address source = *addr;
    if (source.version == 6)
        memset(source.bytes + 8, 0, 8);
    return source;
}

static struct source *find(const struct admission *admission, const struct address *addr, uint64_t *hash)
{
    *hash = hash_bytes(&admission->key, addr, sizeof(*addr));
    struct table_node *node = table_first(&admission->sources, *hash);
    for (; node; node = table_next(node)) {
        struct source *source = container_of(node, struct source, node);
        if (address_equal(&source->addr, addr))
            return source;
    }
    return NULL;
}

static struct source *need(struct admission *admission, const struct address *addr)
{
    uint64_t hash;
    struct source *source = find(admission, addr, &hash);
    if (source)
        return source;
    source = memory_new(sizeof(*source));
    source->addr = *addr;
    list_init(&source->crashed);
    table_insert(&admission->sources, &source->node, hash);
    return source;
}

static void forget_crashes(struct admission *admission, struct source *source)
{
    if (!list_is_linked(&source->crashed))
        return;
    list_remove(&source->crashed);
    admission->crashed_count--;
    source->crashes = 0;
}

static void release(struct admission *admission, struct source *source)
{
    if (source->count || list_is_linked(&source->crashed))
        return;
    table_remove(&admission->sources, &source->node);
    free(source);
}

static void forget_old(struct admission *admission, usec_t now)
{
    while (!list_is_empty(&admission->crashed)) {
        struct source *oldest = container_of(admission->crashed.next, struct source, crashed);
        if (oldest->forgotten > now && admission->crashed_count <= ADMISSION_CRASHED_MAX)
            break;
        forget_crashes(admission, oldest);
        release(admission, oldest);
    }
}

struct admission *admission_new(uint32_t most, uint32_t most_per_source)
{
    struct admission *admission = memory_new(sizeof(*admission));
    admission->most = most;
    admission->most_per_source = most_per_source;
    table_init(&admission->sources);
    list_init(&admission->crashed);
    random_fill(&admission->key, sizeof(admission->key));
    return admission;
}

void admission_free(struct admission *admission)
{
    if (!admission)
        return;
    forget_old(admission, USEC_NEVER);
    assert(admission->sources.count == 0);
    table_fini(&admission->sources);
    free(admission);
}

const char *admission_enter(struct admission *admission, const struct address *addr, usec_t now)
{
    struct address key = source_of(addr);
    forget_old(admission, now);
    if (admission->count >= admission->most) {
        admission->refused++;
        return "too many unauthenticated connections";
    }
    struct source *source = need(admission, &key);
    const char *why = NULL;
    if (source->until > now)
        why = "its connections made workers crash";
    else if (source->count >= admission->most_per_source)
        why = "too many unauthenticated connections from this source";
    if (why) {
        admission->refused++;
        release(admission, source);
        return why;
    }
    source->count++;
    admission->count++;
    return NULL;
}

void admission_leave(struct admission *admission, const struct address *addr, usec_t now)
{
    struct address key = source_of(addr);
    uint64_t hash;
    struct source *source = find(admission, &key, &hash);
    assert(source && source->count && admission->count);
    source->count--;
    admission->count--;
    forget_old(admission, now);
    release(admission, source);
}

void admission_crashed(struct admission *admission, const struct address *addr, usec_t now)
{
    struct address key = source_of(addr);
    struct source *source = need(admission, &key);
    uint64_t penalty = ADMISSION_PENALTY_S;
    for (uint32_t i = 0; i < source->crashes && penalty < ADMISSION_PENALTY_MAX_S; i++)
        penalty *= 2;
    uint32_t crashes = source->crashes + 1;
    admission->crashes++;
    forget_crashes(admission, source);
    source->crashes = crashes;
    source->until = now + penalty * USEC_PER_SEC;
    source->forgotten = now + ADMISSION_MEMORY_S * USEC_PER_SEC;
    list_push_back(&admission->crashed, &source->crashed);
    admission->crashed_count++;
    forget_old(admission, now);
}

void admission_describe(const struct admission *admission, struct facts *facts)
{
    facts_gauge(facts, "connections", "connections that have not authenticated yet", FACT_COUNT, admission->count);
    facts_gauge(facts, "crashed_sources", "sources whose connections made workers crash", FACT_COUNT,
                admission->crashed_count);
    facts_counter(facts, "refused", "connections refused before they got a worker", FACT_COUNT, admission->refused);
    facts_counter(facts, "crashes", "workers that crashed", FACT_COUNT, admission->crashes);
}
