// SPDX-License-Identifier: GPL-2.0-or-later
// An array in order of time, the latest first: what is refused again and again is found at its front.
#include "exchange/denials.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "base/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct denial denial; // texts are owned
    uint64_t taken;       // of its count
    bool settled;         // by rules of before
};

struct denials {
    struct entry *entries; // NULL: none was ever added
    size_t count;
};

struct denials *denials_new(void)
{
    return memory_new(sizeof(struct denials));
}

static void fini(struct entry *entry)
{
    free((char *)entry->denial.who);
    free((char *)entry->denial.host);
    free((char *)entry->denial.rule);
}

void denials_free(struct denials *denials)
{
    if (!denials)
        return;
    for (size_t i = 0; i < denials->count; i++)
        fini(&denials->entries[i]);
    free(denials->entries);
    free(denials);
}

static bool is_same(const struct denial *a, const struct denial *b)
{
    return a->protocol == b->protocol && endpoint_equal(&a->to, &b->to) && address_equal(&a->from, &b->from) &&
           !strcmp(a->host, b->host) && !strcmp(a->who, b->who);
}

static void bring_to_front(struct denials *denials, size_t i)
{
    struct entry entry = denials->entries[i];
    memmove(&denials->entries[1], &denials->entries[0], i * sizeof entry);
    denials->entries[0] = entry;
}

// Brought to the front; NULL when there is none.
static struct entry *find(struct denials *denials, const struct denial *denial)
{
    for (size_t i = 0; i < denials->count; i++) {
        const struct entry *entry = &denials->entries[i];
        if (entry->settled || !is_same(&entry->denial, denial))
            continue;
        bring_to_front(denials, i);
        return &denials->entries[0];
    }
    return NULL;
}

static void count(struct entry *entry, const struct denial *denial)
{
    entry->denial.count += denial->count;
    if (denial->last > entry->denial.last)
        entry->denial.last = denial->last;
}

bool denials_repeat(struct denials *denials, const struct denial *denial)
{
    struct entry *entry = find(denials, denial);
    if (entry)
        count(entry, denial);
    return entry;
}

static size_t count_of(const struct denials *denials, const char *who)
{
    size_t n = 0;
    for (size_t i = 0; i < denials->count; i++)
        n += !strcmp(denials->entries[i].denial.who, who);
    return n;
}

// The oldest of him who has most.
static size_t find_victim(const struct denials *denials)
{
    size_t victim = 0, most = 0;
    for (size_t i = 0; i < denials->count; i++) {
        size_t n = count_of(denials, denials->entries[i].denial.who);
        if (n >= most)
            victim = i;
        most = n >= most ? n : most;
    }
    return victim;
}

static void make_room(struct denials *denials)
{
    if (!denials->entries)
        denials->entries = memory_new(DENIALS_MAX * sizeof *denials->entries);
    if (denials->count < DENIALS_MAX)
        return;
    size_t i = find_victim(denials);
    fini(&denials->entries[i]);
    denials->count--;
    memmove(&denials->entries[i], &denials->entries[i + 1], (denials->count - i) * sizeof *denials->entries);
}

void denials_add(struct denials *denials, const struct denial *denial)
{
    struct entry *entry = find(denials, denial);
    if (entry && entry->denial.line == denial->line && !strcmp(entry->denial.rule, denial->rule)) {
        count(entry, denial);
        return;
    }
    make_room(denials);
    struct entry added = {.denial = *denial};
    added.denial.who = memory_text(denial->who);
    added.denial.host = memory_text(denial->host);
    added.denial.rule = memory_text(denial->rule);
    denials->entries[denials->count++] = added;
    bring_to_front(denials, denials->count - 1);
}

void denials_rules_changed(struct denials *denials)
{
    for (size_t i = 0; i < denials->count; i++)
        denials->entries[i].settled = true;
}

bool denials_take(struct denials *denials, struct denial *out)
{
    for (size_t i = 0; i < denials->count; i++) {
        struct entry *entry = &denials->entries[i];
        if (entry->taken == entry->denial.count)
            continue;
        *out = entry->denial;
        out->count -= entry->taken;
        entry->taken = entry->denial.count;
        return true;
    }
    return false;
}

static void describe_destination(const struct denial *denial, struct facts *facts)
{
    char text[HOST_PORT_TEXT_SIZE], address[ADDRESS_TEXT_SIZE];
    if (*denial->host && denial->to.port)
        host_port_text(text, sizeof text, denial->host, denial->to.port);
    else if (*denial->host)
        snprintf(text, sizeof text, "%s", denial->host);
    else if (denial->to.port)
        endpoint_text(&denial->to, text);
    else
        address_text(&denial->to.addr, text);
    facts_text(facts, "destination", "what was asked for", text);
    if (*denial->host && denial->to.addr.version)
        facts_text(facts, "address", "an address of that name, by which it was refused",
                   address_text(&denial->to.addr, address));
}

static void describe_rule(const struct denial *denial, const char *file, struct facts *facts)
{
    char place[512];
    facts_text(facts, "rule", "that denied, or why none allows it", denial->rule);
    if (!denial->line)
        return;
    snprintf(place, sizeof place, "%s:%u", file, denial->line);
    facts_text(facts, "place", "of the rule", place);
}

static void describe(const struct denial *denial, const char *file, struct facts *facts)
{
    char from[ADDRESS_TEXT_SIZE];
    if (*denial->who)
        facts_text(facts, "portal", "whose it was", denial->who);
    if (denial->from.version)
        facts_text(facts, "from", "who asked behind the other end, as it says", address_text(&denial->from, from));
    facts_text(facts, "protocol", "tcp, udp, icmp or icmpv6", protocol_text(denial->protocol));
    describe_destination(denial, facts);
    describe_rule(denial, file, facts);
    facts_counter(facts, "count", "how often", FACT_COUNT, denial->count);
    facts_gauge(facts, "first", "when it was refused first", FACT_UNIX_SECONDS, denial->first);
    facts_gauge(facts, "last", "when it was refused last", FACT_UNIX_SECONDS, denial->last);
}

void denials_describe(const struct denials *denials, const char *file, struct facts *facts)
{
    char number[24];
    facts_list(facts, "denials");
    for (size_t i = 0; i < denials->count; i++) {
        snprintf(number, sizeof number, "%zu", i + 1);
        struct fact_label label = {.name = "denial", .value = number};
        facts_item(facts, &label);
        describe(&denials->entries[i].denial, file, facts);
        facts_item_end(facts);
    }
    facts_end(facts);
}
