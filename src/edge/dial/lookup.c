// SPDX-License-Identifier: GPL-2.0-or-later
// From what the peer asked for to addresses that may be connected to. A name is resolved once, every address of it is
// judged, and only what passed goes on to reach: nothing is resolved again behind the policy's back (DNS rebinding).
#include "base/memory.h"
#include "edge/dial/internal.h"

#include <stdlib.h>
#include <string.h>

struct dial_lookup {
    struct resolver_query *query;
    char host[USHER_HOST_MAX + 1];
};

static void give_up(struct dial_flow *flow, enum usher_word word, const char *text)
{
    dial_flow_refuse(flow, word, text);
    flow->kind->abandon(flow);
}

// Echo requests of one ICMP do not go to addresses of the other IP.
static bool fits(const struct dial_flow *flow, const struct address *addr)
{
    if (flow->protocol == USHER_ICMP)
        return addr->version == 4;
    return flow->protocol != USHER_ICMPV6 || addr->version == 6;
}

static void reach_allowed(struct dial_flow *flow, const char *host, const struct address *addrs, size_t count)
{
    const struct judge *judge = flow->dial->config.judge;
    struct address allowed[RESOLVER_ADDRESSES_MAX];
    size_t allowed_count = 0, fitting = 0;
    for (size_t i = 0; i < count && i < RESOLVER_ADDRESSES_MAX; i++) {
        if (!fits(flow, &addrs[i]))
            continue;
        fitting++;
        if (judge->address(judge, flow->protocol, host, &addrs[i], flow->outside.port))
            allowed[allowed_count++] = addrs[i];
    }
    if (allowed_count > 0)
        flow->kind->reach(flow, allowed, allowed_count);
    else if (fitting > 0)
        give_up(flow, USHER_DENIED, "not permitted");
    else
        give_up(flow, USHER_UNREACHABLE, "net: no address of that IP version");
}

static void drop_lookup(struct dial_flow *flow)
{
    free(flow->lookup);
    flow->lookup = NULL;
    flow->resolving = false;
    flow->dial->lookups--;
}

void dial_lookup_cancel(struct dial_flow *flow)
{
    if (!flow->resolving)
        return;
    resolver_cancel(flow->lookup->query);
    drop_lookup(flow);
}

static void resolved(void *owner, const struct address *addrs, size_t count, const char *why)
{
    struct dial_flow *flow = owner;
    char host[USHER_HOST_MAX + 1];
    strcpy(host, flow->lookup->host);
    drop_lookup(flow);
    if (count == 0)
        give_up(flow, USHER_RESOLVE, why);
    else
        reach_allowed(flow, host, addrs, count);
}

static void look_up(struct dial_flow *flow, const char *host)
{
    struct dial *dial = flow->dial;
    enum judge_name verdict = dial->config.judge->name(dial->config.judge, flow->protocol, host, flow->outside.port);
    if (verdict == JUDGE_NO_NAME)
        give_up(flow, USHER_RESOLVE, "not a host name");
    else if (verdict == JUDGE_DENIED)
        give_up(flow, USHER_DENIED, "not permitted");
    else if (!dial->config.resolver)
        give_up(flow, USHER_RESOLVE, "names are not resolved here");
    else if (dial->lookups >= PENDING_LOOKUPS_MAX)
        give_up(flow, USHER_LIMIT, "too many names are being resolved");
    else {
        struct dial_lookup *lookup = memory_new(sizeof *lookup);
        strcpy(lookup->host, host);
        flow->lookup = lookup;
        flow->resolving = true;
        dial->lookups++;
        lookup->query = resolver_lookup(dial->config.resolver, host, resolved, flow);
    }
}

void dial_flow_open(struct dial_flow *flow, const struct usher_open *open)
{
    struct address addr = open->addr;
    // An IPv4 address in text form comes as a host name; it is an address all the same.
    if (addr.version != 0 || address_parse(&addr, open->host))
        reach_allowed(flow, NULL, &addr, 1);
    else
        look_up(flow, open->host);
}
