// SPDX-License-Identifier: GPL-2.0-or-later
// Who asks for one family of a name asks for the other in the same breath: both wait for one inquiry at the other end.
#include "edge/names/mapped.h"

#include "base/hash.h"
#include "base/host_name.h"
#include "base/memory.h"
#include "base/table.h"
#include "edge/names/pool.h"
#include "edge/names/reverse.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/random.h"

#include <stdlib.h>
#include <string.h>

enum {
    TYPE_SVCB = 64, // RFC 9460: hints at addresses, as does
    TYPE_HTTPS = 65,
    COMPLAIN_S = 60, // between lines of the log
};

struct names_mapped {
    struct names_source source; // first
    struct names_mapped_config config;
    struct hash_key key;
    struct table inquiries; // by name
    struct table waits;     // by question
    usec_t complained;
};

// A name that the other end is being asked for.
struct inquiry {
    struct probe probe; // first
    struct names_mapped *mapped;
    struct table_node by_name;
    struct list waits;
    bool found; // the answer is being told
    char name[];
};

// A question that waits for that.
struct wait {
    struct table_node by_question; // first
    struct list node;
    struct inquiry *inquiry;
    struct names_question *pending;
    uint16_t type;
};

static struct names_mapped *mapped_of(struct names_source *source)
{
    return (struct names_mapped *)source;
}

static struct pool *pool_of(const struct names_mapped *mapped, const struct address *addr)
{
    struct pool *pool = addr->version == 4 ? mapped->config.ipv4 : mapped->config.ipv6;
    return pool && pool_has(pool, addr) ? pool : NULL;
}

// Whose the answer is

static bool is_in_domain(const struct names_mapped *mapped, const char *name)
{
    for (size_t i = 0; i < mapped->config.domain_count; i++)
        if (names_domain_holds(&mapped->config.domains[i], name))
            return true;
    return false;
}

// A server would tell where the name is in its own network.
static bool is_of_addresses(uint16_t type)
{
    return type == DNS_A || type == DNS_AAAA || type == TYPE_SVCB || type == TYPE_HTTPS || type == DNS_ANY;
}

static bool owns(const struct names_source *source, const struct dns_question *question, const char *name)
{
    const struct names_mapped *mapped = (const struct names_mapped *)source;
    struct address addr;
    if (question->class == DNS_IN && reverse_parse(&addr, name) && pool_of(mapped, &addr))
        return true;
    if (!is_in_domain(mapped, name))
        return false;
    return !mapped->config.has_servers || (question->class == DNS_IN && is_of_addresses(question->type));
}

// What it is

static void say(struct names_question *pending, enum dns_rcode rcode)
{
    const struct dns_answer answer = {.rcode = rcode};
    names_answer(pending, &answer);
}

static void complain(struct names_mapped *mapped, const struct pool *pool)
{
    usec_t now = clock_now();
    if (mapped->complained && now < mapped->complained + COMPLAIN_S * USEC_PER_SEC)
        return;
    mapped->complained = now;
    log_warning("a name was not answered: all %u addresses of its MapPool are in use", pool_size(pool));
}

static void say_address(struct names_mapped *mapped, struct names_question *pending, struct pool *pool,
                        const char *name, uint32_t ttl)
{
    struct address addr;
    if (!pool_address(pool, name, &addr, clock_now())) {
        complain(mapped, pool);
        say(pending, DNS_SERVFAIL);
        return;
    }
    const struct dns_answer answer = {.addrs = &addr, .count = 1, .ttl = ttl < POOL_TTL_MAX_S ? ttl : POOL_TTL_MAX_S};
    names_answer(pending, &answer);
}

static void say_found(struct names_mapped *mapped, const struct wait *wait, const char *name,
                      const struct probe_answer *found)
{
    static const enum dns_rcode rcodes[] = {
        [PROBE_EXISTS] = DNS_NOERROR,
        [PROBE_NO_NAME] = DNS_NXDOMAIN,
        [PROBE_DENIED] = DNS_REFUSED,
        [PROBE_FAILED] = DNS_SERVFAIL,
    };
    bool exists = found->status == PROBE_EXISTS;
    if (exists && wait->type == DNS_A && found->ipv4 && mapped->config.ipv4)
        say_address(mapped, wait->pending, mapped->config.ipv4, name, found->ttl);
    else if (exists && wait->type == DNS_AAAA && found->ipv6 && mapped->config.ipv6)
        say_address(mapped, wait->pending, mapped->config.ipv6, name, found->ttl);
    else
        say(wait->pending, rcodes[found->status]);
}

static uint64_t hash_of_name(const struct names_mapped *mapped, const char *name)
{
    return hash_bytes(&mapped->key, name, strlen(name));
}

static uint64_t hash_of_question(const struct names_mapped *mapped, const struct names_question *pending)
{
    return hash_bytes(&mapped->key, &pending, sizeof pending);
}

static void end_wait(struct wait *wait)
{
    table_remove(&wait->inquiry->mapped->waits, &wait->by_question);
    list_remove(&wait->node);
    free(wait);
}

// Each answer may bring another question, which begins an inquiry of its own, or be the end of others that wait.
static void on_found(struct probe *probe, const struct probe_answer *found)
{
    struct inquiry *inquiry = (struct inquiry *)probe;
    struct names_mapped *mapped = inquiry->mapped;
    table_remove(&mapped->inquiries, &inquiry->by_name);
    inquiry->found = true;
    while (!list_is_empty(&inquiry->waits)) {
        struct wait *wait = container_of(inquiry->waits.next, struct wait, node);
        const struct wait copy = *wait;
        end_wait(wait);
        say_found(mapped, &copy, inquiry->name, found);
    }
    free(inquiry);
}

static struct inquiry *find(const struct names_mapped *mapped, const char *name)
{
    struct table_node *node = table_first(&mapped->inquiries, hash_of_name(mapped, name));
    for (; node; node = table_next(node)) {
        struct inquiry *inquiry = container_of(node, struct inquiry, by_name);
        if (!strcmp(inquiry->name, name))
            return inquiry;
    }
    return NULL;
}

static struct inquiry *begin(struct names_mapped *mapped, const char *name)
{
    size_t size = strlen(name) + 1;
    struct inquiry *inquiry = memory_new(sizeof *inquiry + size);
    inquiry->mapped = mapped;
    memcpy(inquiry->name, name, size);
    list_init(&inquiry->waits);
    table_insert(&mapped->inquiries, &inquiry->by_name, hash_of_name(mapped, name));
    inquiry->probe = (struct probe){.name = inquiry->name, .done = on_found};
    probe_ask(mapped->config.prober, &inquiry->probe);
    return inquiry;
}

static void inquire(struct names_mapped *mapped, struct names_question *pending, uint16_t type, const char *name)
{
    struct inquiry *inquiry = find(mapped, name);
    if (!inquiry)
        inquiry = begin(mapped, name);
    struct wait *wait = memory_new(sizeof *wait);
    wait->inquiry = inquiry;
    wait->pending = pending;
    wait->type = type;
    list_push_back(&inquiry->waits, &wait->node);
    table_insert(&mapped->waits, &wait->by_question, hash_of_question(mapped, pending));
}

static void say_pointer(struct names_question *pending, struct pool *pool, uint16_t type, const struct address *addr)
{
    const char *name = pool_name(pool, addr, clock_now());
    const struct dns_answer answer = {
        .rcode = name ? DNS_NOERROR : DNS_NXDOMAIN,
        .pointer = type == DNS_PTR ? name : NULL,
        .ttl = POOL_TTL_MAX_S,
    };
    names_answer(pending, &answer);
}

static void ask(struct names_source *source, struct names_question *pending, const struct dns_question *question,
                const char *name)
{
    struct names_mapped *mapped = mapped_of(source);
    struct address addr;
    struct pool *pool = question->class == DNS_IN && reverse_parse(&addr, name) ? pool_of(mapped, &addr) : NULL;
    if (pool)
        say_pointer(pending, pool, question->type, &addr);
    else if (question->class != DNS_IN || question->type == DNS_AXFR || question->type == DNS_IXFR)
        say(pending, DNS_REFUSED);
    else if (!host_name_is_valid(name))
        say(pending, DNS_NXDOMAIN);
    else
        inquire(mapped, pending, question->type, name);
}

static void drop(struct inquiry *inquiry)
{
    probe_cancel(inquiry->mapped->config.prober, &inquiry->probe);
    table_remove(&inquiry->mapped->inquiries, &inquiry->by_name);
    free(inquiry);
}

static void forget(struct names_source *source, struct names_question *pending)
{
    const struct names_mapped *mapped = mapped_of(source);
    struct table_node *node = table_first(&mapped->waits, hash_of_question(mapped, pending));
    while (node && ((struct wait *)node)->pending != pending)
        node = table_next(node);
    if (!node)
        return; // it is being answered
    struct inquiry *inquiry = ((struct wait *)node)->inquiry;
    end_wait((struct wait *)node);
    if (list_is_empty(&inquiry->waits) && !inquiry->found)
        drop(inquiry);
}

struct names_mapped *names_mapped_new(const struct names_mapped_config *config)
{
    static const struct names_source_ops ops = {.owns = owns, .ask = ask, .forget = forget};
    struct names_mapped *mapped = memory_new(sizeof *mapped);
    mapped->source.ops = &ops;
    mapped->config = *config;
    random_fill(&mapped->key, sizeof mapped->key);
    table_init(&mapped->inquiries);
    table_init(&mapped->waits);
    return mapped;
}

struct names_source *names_mapped_source(struct names_mapped *mapped)
{
    return &mapped->source;
}

void names_mapped_free(struct names_mapped *mapped)
{
    if (!mapped)
        return;
    table_fini(&mapped->inquiries);
    table_fini(&mapped->waits);
    free(mapped);
}
