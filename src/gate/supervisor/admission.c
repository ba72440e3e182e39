// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/admission.h"

#include "base/memory.h"
#include "gate/supervisor/sources.h"

#include <assert.h>
#include <stdlib.h>

enum { KNOWN_SHARE = 4 }; // places for known sources alone: all divided by this

struct ticket {
    struct list node; // in admission->places while it has one, the oldest first
    struct source *source;
    usec_t since;
    bool known;  // its source was when it came
    bool proved; // counted as a tunnel
    void *owner;
};

struct admission {
    struct sources sources;
    struct list places;
    struct bucket fresh, usual; // of unknown sources
    uint32_t count, unknown, most, most_per_source;
    uint64_t refused, gave_way, crashes;
};

void admission_set_limits(struct admission *admission, uint32_t most, uint32_t most_per_source)
{
    admission->most = most;
    admission->most_per_source = most_per_source;
}

struct admission *admission_new(uint32_t most, uint32_t most_per_source)
{
    struct admission *admission = memory_new(sizeof(*admission));
    admission_set_limits(admission, most, most_per_source);
    sources_init(&admission->sources);
    list_init(&admission->places);
    bucket_init(&admission->fresh, ADMISSION_RATE, ADMISSION_BURST, 0);
    bucket_init(&admission->usual, ADMISSION_RATE, ADMISSION_BURST, 0);
    return admission;
}

void admission_free(struct admission *admission)
{
    if (!admission)
        return;
    sources_fini(&admission->sources);
    free(admission);
}

static void take_place(struct admission *admission, struct ticket *ticket)
{
    list_push_back(&admission->places, &ticket->node);
    ticket->source->places++;
    admission->count++;
    admission->unknown += !ticket->known;
}

static void leave_place(struct admission *admission, struct ticket *ticket)
{
    if (!list_is_linked(&ticket->node))
        return;
    list_remove(&ticket->node);
    ticket->source->places--;
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
            (found->known == ticket->known && found->source->places < ticket->source->places))
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
    bool known = source_is_known(source);
    uint32_t for_unknown = admission->most - admission->most / KNOWN_SHARE;
    *gives_way = NULL;
    if (source->places >= admission->most_per_source) {
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
    bool is_fresh = sources_came(&admission->sources, source, now);
    if (source->until > now)
        return "its connections made workers crash";
    if (!bucket_take(&source->starts, now))
        return "too many connections a second from this source";
    const char *why = find_place(admission, source, now, gives_way);
    if (why)
        return why;
    if (!source_is_known(source) && !(is_fresh && bucket_take(&admission->fresh, now)) &&
        !bucket_take(&admission->usual, now))
        return "too many connections a second";
    return NULL;
}

struct ticket *admission_enter(struct admission *admission, const struct address *addr, usec_t now, void **gives_way,
                               const char **why)
{
    struct ticket *other = NULL;
    *gives_way = NULL;
    sources_forget_old(&admission->sources, now);
    struct source *source = sources_need(&admission->sources, addr, now);
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
    *ticket = (struct ticket){.source = source, .since = now, .known = source_is_known(source)};
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
    sources_logged_in(&admission->sources, ticket->source, now);
}

void admission_moved(struct admission *admission, struct ticket *ticket, const struct address *addr, usec_t now)
{
    struct source *before = ticket->source, *source = sources_need(&admission->sources, addr, now);
    if (source == before)
        return;
    sources_logged_out(&admission->sources, before);
    ticket->source = source;
    admission_proved(admission, ticket, now);
}

struct ticket *admission_adopt(struct admission *admission, const struct address *addr, bool proved, usec_t now)
{
    struct source *source = sources_need(&admission->sources, addr, now);
    struct ticket *ticket = memory_new(sizeof(*ticket));
    *ticket = (struct ticket){.source = source, .since = now, .known = source_is_known(source)};
    list_init(&ticket->node);
    if (proved)
        admission_proved(admission, ticket, now);
    else
        take_place(admission, ticket);
    return ticket;
}

static void counters(struct wire *wire, struct admission *admission)
{
    wire_u64(wire, &admission->refused);
    wire_u64(wire, &admission->gave_way);
    wire_u64(wire, &admission->crashes);
}

struct blob admission_save(const struct admission *admission)
{
    size_t size = 3 * 8 + sources_saved_size(&admission->sources);
    struct blob saved = {.bytes = memory_new(size + 1), .len = size};
    struct wire wire = wire_writing(saved.bytes, size);
    counters(&wire, (struct admission *)admission); // writing changes nothing
    sources_save(&admission->sources, &wire);
    assert(!wire_failed(&wire) && writer_left(&wire.w) == 0);
    return saved;
}

void admission_load(struct admission *admission, const struct blob *saved, usec_t now)
{
    struct wire wire = wire_reading(saved->bytes, saved->len);
    counters(&wire, admission);
    sources_load(&admission->sources, &wire, now);
}

void admission_leave(struct admission *admission, struct ticket *ticket, usec_t now)
{
    struct source *source = ticket->source;
    leave_place(admission, ticket);
    if (ticket->proved)
        sources_logged_out(&admission->sources, source);
    free(ticket);
    sources_release(&admission->sources, source);
    sources_forget_old(&admission->sources, now);
}

void admission_crashed(struct admission *admission, const struct address *addr, usec_t now)
{
    admission->crashes++;
    sources_crashed(&admission->sources, addr, now);
}

void admission_describe(const struct admission *admission, struct facts *facts)
{
    facts_gauge(facts, "connections", "connections that have not authenticated yet", FACT_COUNT, admission->count);
    facts_gauge(facts, "crashed_sources", "sources whose connections made workers crash", FACT_COUNT,
                admission->sources.crashed.count);
    facts_gauge(facts, "known_sources", "sources that portals have come from, which have places of their own",
                FACT_COUNT, admission->sources.known.count);
    facts_counter(facts, "refused", "connections refused before they got a worker", FACT_COUNT, admission->refused);
    facts_counter(facts, "gave_way", "connections that had not authenticated and were ended for others", FACT_COUNT,
                  admission->gave_way);
    facts_counter(facts, "crashes", "workers that crashed", FACT_COUNT, admission->crashes);
}
