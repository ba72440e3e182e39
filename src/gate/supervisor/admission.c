// SPDX-License-Identifier: GPL-2.0-or-later
// One entry for each source that has a connection or a tunnel, or is remembered for one of three reasons, each with a list
// of its own that is bounded.

#include "gate/supervisor/admission.h"

#include "base/bucket.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"
#include "os/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { KNOWN_SHARE = 4 }; // places for known sources alone: all divided by this

struct source {
    struct table_node node;
    struct list crashed; // in admission->crashed, the oldest crash first
    struct list recent;  // in admission->recent, who came last is last
    struct list known;   // in admission->known, who was proved last is last
    struct address addr;
    struct bucket starts;
    usec_t came;
    uint32_t count;   // places that it holds
    uint32_t tunnels; // portals of it that are logged in
    uint32_t crashes;
    usec_t until;     // refused before
    usec_t forgotten; // when `crashes` no longer counts
};

struct ticket {
    struct list node; // in admission->places while it has one, the oldest first
    struct source *source;
    usec_t since;
    bool known;  // its source was when it came
    bool proved; // counted as a tunnel
    void *owner;
};

struct memory_of { // sources, the one to be forgotten first is first
    struct list list;
    uint32_t count;
};

struct admission {
    struct table sources;
    struct memory_of crashed, recent, known;
    struct list places;
    struct hash_key key;
    struct bucket fresh, usual; // of unknown sources
    uint32_t count, unknown, most, most_per_source;
    uint64_t refused, gave_way, crashes;
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

static struct source *need(struct admission *admission, const struct address *addr, usec_t now)
{
    uint64_t hash;
    struct source *source = find(admission, addr, &hash);
    if (source)
        return source;
    source = memory_new(sizeof(*source));
    source->addr = *addr;
    list_init(&source->crashed);
    list_init(&source->recent);
    list_init(&source->known);
    bucket_init(&source->starts, ADMISSION_SOURCE_RATE, ADMISSION_SOURCE_BURST, now);
    table_insert(&admission->sources, &source->node, hash);
    return source;
}

static void remember(struct memory_of *memory, struct list *node)
{
    memory->count += !list_is_linked(node);
    list_remove(node);
    list_push_back(&memory->list, node);
}

static void forget(struct memory_of *memory, struct list *node)
{
    memory->count -= list_is_linked(node);
    list_remove(node);
}

static void forget_crashes(struct admission *admission, struct source *source)
{
    forget(&admission->crashed, &source->crashed);
    source->crashes = 0;
}

static void release(struct admission *admission, struct source *source)
{
    if (source->count || source->tunnels || list_is_linked(&source->crashed) || list_is_linked(&source->recent) ||
        list_is_linked(&source->known))
        return;
    table_remove(&admission->sources, &source->node);
    free(source);
}

static void forget_old(struct admission *admission, usec_t now)
{
    struct memory_of *crashed = &admission->crashed, *recent = &admission->recent, *known = &admission->known;
    while (crashed->count) {
        struct source *oldest = container_of(crashed->list.next, struct source, crashed);
        if (oldest->forgotten > now && crashed->count <= ADMISSION_CRASHED_MAX)
            break;
        forget_crashes(admission, oldest);
        release(admission, oldest);
    }
    while (recent->count) {
        struct source *oldest = container_of(recent->list.next, struct source, recent);
        if (oldest->came + ADMISSION_RECENT_S * USEC_PER_SEC > now && recent->count <= ADMISSION_RECENT_MAX)
            break;
        forget(recent, &oldest->recent);
        release(admission, oldest);
    }
    while (known->count > (now == USEC_NEVER ? 0 : ADMISSION_KNOWN_MAX)) {
        struct source *oldest = container_of(known->list.next, struct source, known);
        forget(known, &oldest->known);
        release(admission, oldest);
    }
}

void admission_set_limits(struct admission *admission, uint32_t most, uint32_t most_per_source)
{
    admission->most = most;
    admission->most_per_source = most_per_source;
}

struct admission *admission_new(uint32_t most, uint32_t most_per_source)
{
    struct admission *admission = memory_new(sizeof(*admission));
    admission_set_limits(admission, most, most_per_source);
    table_init(&admission->sources);
    list_init(&admission->crashed.list);
    list_init(&admission->recent.list);
    list_init(&admission->known.list);
    list_init(&admission->places);
    bucket_init(&admission->fresh, ADMISSION_RATE, ADMISSION_BURST, 0);
    bucket_init(&admission->usual, ADMISSION_RATE, ADMISSION_BURST, 0);
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

static bool is_known(const struct source *source)
{
    return source->tunnels || list_is_linked(&source->known);
}

static void take_place(struct admission *admission, struct ticket *ticket)
{
    list_push_back(&admission->places, &ticket->node);
    ticket->source->count++;
    admission->count++;
    admission->unknown += !ticket->known;
}

static void leave_place(struct admission *admission, struct ticket *ticket)
{
    if (!list_is_linked(&ticket->node))
        return;
    list_remove(&ticket->node);
    ticket->source->count--;
    admission->count--;
    admission->unknown -= !ticket->known;
}

// The oldest that `source` has, or, NULL, of the source that has most; unknown ones go before known ones.
static struct ticket *find_oldest(const struct admission *admission, const struct source *source)
{
    struct ticket *found = NULL;
    list_for_each(node, &admission->places) {
        struct ticket *ticket = container_of(node, struct ticket, node);
        if (source && ticket->source != source)
            continue;
        if (!found || found->known > ticket->known ||
            (found->known == ticket->known && found->source->count < ticket->source->count))
            found = ticket;
    }
    return found;
}

static bool may_go(const struct ticket *ticket, usec_t now)
{
    return ticket && ticket->since + ADMISSION_GRACE_MS * USEC_PER_MSEC <= now;
}

// Whether there is a place for one of that source, if need be another's.
static const char *find_place(const struct admission *admission, const struct source *source, usec_t now,
                              struct ticket **gives_way)
{
    bool known = is_known(source);
    uint32_t for_unknown = admission->most - admission->most / KNOWN_SHARE;
    *gives_way = NULL;
    if (source->count >= admission->most_per_source) {
        *gives_way = find_oldest(admission, source);
        return may_go(*gives_way, now) ? NULL : "too many unauthenticated connections from this source";
    }
    if (admission->count < admission->most && (known || admission->unknown < for_unknown))
        return NULL;
    *gives_way = find_oldest(admission, NULL);
    bool at_once = known && !(*gives_way)->known;
    return at_once || may_go(*gives_way, now) ? NULL : "too many unauthenticated connections";
}

static const char *judge(struct admission *admission, struct source *source, usec_t now, struct ticket **gives_way)
{
    bool is_fresh = !list_is_linked(&source->recent);
    source->came = now;
    remember(&admission->recent, &source->recent);
    if (source->until > now)
        return "its connections made workers crash";
    if (!bucket_take(&source->starts, now))
        return "too many connections a second from this source";
    const char *why = find_place(admission, source, now, gives_way);
    if (why)
        return why;
    if (!is_known(source) && !(is_fresh && bucket_take(&admission->fresh, now)) && !bucket_take(&admission->usual, now))
        return "too many connections a second";
    return NULL;
}

struct ticket *admission_enter(struct admission *admission, const struct address *addr, usec_t now, void **gives_way,
                               const char **why)
{
    struct address key = source_of(addr);
    struct ticket *other = NULL;
    *gives_way = NULL;
    forget_old(admission, now);
    struct source *source = need(admission, &key, now);
    *why = judge(admission, source, now, &other);
    if (*why) {
        admission->refused++;
        return NULL;
    }
    if (other) {
        leave_place(admission, other);
        admission->gave_way++;
        *gives_way = other->owner;
    }
    struct ticket *ticket = memory_new(sizeof(*ticket));
    *ticket = (struct ticket){.source = source, .since = now, .known = is_known(source)};
    list_init(&ticket->node);
    take_place(admission, ticket);
    return ticket;
}

void admission_owned(struct ticket *ticket, void *owner)
{
    ticket->owner = owner;
}

void admission_proved(struct admission *admission, struct ticket *ticket, usec_t now)
{
    leave_place(admission, ticket);
    ticket->proved = true;
    if (!is_known(ticket->source))
        bucket_init(&ticket->source->starts, ADMISSION_KNOWN_RATE, ADMISSION_KNOWN_BURST, now);
    ticket->source->tunnels++;
    remember(&admission->known, &ticket->source->known);
    forget_old(admission, now);
}

void admission_moved(struct admission *admission, struct ticket *ticket, const struct address *addr, usec_t now)
{
    struct address key = source_of(addr);
    struct source *before = ticket->source, *source = need(admission, &key, now);
    if (source == before)
        return;
    before->tunnels--;
    remember(&admission->known, &before->known);
    ticket->source = source;
    admission_proved(admission, ticket, now);
}

struct ticket *admission_adopt(struct admission *admission, const struct address *addr, bool proved, usec_t now)
{
    struct address key = source_of(addr);
    struct source *source = need(admission, &key, now);
    struct ticket *ticket = memory_new(sizeof(*ticket));
    *ticket = (struct ticket){.source = source, .since = now, .known = is_known(source)};
    list_init(&ticket->node);
    if (proved)
        admission_proved(admission, ticket, now);
    else
        take_place(admission, ticket);
    return ticket;
}

enum { SAVED_SIZE = 1 + 16 + 1 + 4 + 2 * 8 }; // bytes of a source

static void save_source(struct writer *w, const struct source *source, bool known)
{
    writer_u8(w, source->addr.version);
    writer_bytes(w, source->addr.bytes, sizeof(source->addr.bytes));
    writer_u8(w, known);
    writer_u32(w, source->crashes);
    writer_u64(w, source->until);
    writer_u64(w, source->forgotten);
}

struct blob admission_save(const struct admission *admission)
{
    size_t size = 3 * 8 + (size_t)(admission->crashed.count + admission->known.count) * SAVED_SIZE;
    struct blob saved = {.bytes = memory_new(size + 1), .len = size};
    struct writer w = writer_over(saved.bytes, size);
    writer_u64(&w, admission->refused);
    writer_u64(&w, admission->gave_way);
    writer_u64(&w, admission->crashes);
    list_for_each(node, &admission->crashed.list)
        save_source(&w, container_of(node, struct source, crashed), false);
    list_for_each(node, &admission->known.list)
        save_source(&w, container_of(node, struct source, known), true);
    assert(!w.failed && writer_left(&w) == 0);
    return saved;
}

static void load_source(struct admission *admission, struct reader *r, usec_t now)
{
    struct address addr = {.version = reader_u8(r)};
    const uint8_t *bytes = reader_bytes(r, sizeof(addr.bytes));
    bool known = reader_u8(r) == 1;
    uint32_t crashes = reader_u32(r);
    usec_t until = reader_u64(r), forgotten = reader_u64(r);
    if (r->failed || (addr.version != 4 && addr.version != 6))
        return;
    memcpy(addr.bytes, bytes, sizeof(addr.bytes));
    struct source *source = need(admission, &addr, now);
    if (known)
        remember(&admission->known, &source->known);
    if (!known) {
        source->crashes = crashes;
        source->until = until;
        source->forgotten = forgotten;
        remember(&admission->crashed, &source->crashed);
    }
}

void admission_load(struct admission *admission, const struct blob *saved, usec_t now)
{
    struct reader r = reader_over(saved->bytes, saved->len);
    uint64_t refused = reader_u64(&r), gave_way = reader_u64(&r), crashes = reader_u64(&r);
    if (r.failed)
        return;
    admission->refused = refused;
    admission->gave_way = gave_way;
    admission->crashes = crashes;
    while (!r.failed && reader_left(&r) > 0)
        load_source(admission, &r, now);
    forget_old(admission, now);
}

void admission_leave(struct admission *admission, struct ticket *ticket, usec_t now)
{
    struct source *source = ticket->source;
    leave_place(admission, ticket);
    if (ticket->proved) {
        source->tunnels--;
        remember(&admission->known, &source->known);
    }
    free(ticket);
    release(admission, source);
    forget_old(admission, now);
}

void admission_crashed(struct admission *admission, const struct address *addr, usec_t now)
{
    struct address key = source_of(addr);
    struct source *source = need(admission, &key, now);
    uint64_t penalty = ADMISSION_PENALTY_S;
    for (uint32_t i = 0; i < source->crashes && penalty < ADMISSION_PENALTY_MAX_S; i++)
        penalty *= 2;
    uint32_t crashes = source->crashes + 1;
    admission->crashes++;
    forget_crashes(admission, source);
    source->crashes = crashes;
    source->until = now + penalty * USEC_PER_SEC;
    source->forgotten = now + ADMISSION_MEMORY_S * USEC_PER_SEC;
    remember(&admission->crashed, &source->crashed);
    forget_old(admission, now);
}

void admission_describe(const struct admission *admission, struct facts *facts)
{
    facts_gauge(facts, "connections", "connections that have not authenticated yet", FACT_COUNT, admission->count);
    facts_gauge(facts, "crashed_sources", "sources whose connections made workers crash", FACT_COUNT,
                admission->crashed.count);
    facts_gauge(facts, "known_sources", "sources that portals have come from, which have places of their own",
                FACT_COUNT, admission->known.count);
    facts_counter(facts, "refused", "connections refused before they got a worker", FACT_COUNT, admission->refused);
    facts_counter(facts, "gave_way", "connections that had not authenticated and were ended for others", FACT_COUNT,
                  admission->gave_way);
    facts_counter(facts, "crashes", "workers that crashed", FACT_COUNT, admission->crashes);
}
