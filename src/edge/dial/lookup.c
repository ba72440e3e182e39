// SPDX-License-Identifier: GPL-2.0-or-later
// From what the peer asked for to addresses that may be connected to. A name is resolved once, every address of it is
// judged, and only what passed goes on to `reach`: nothing is resolved again behind the policy's back (DNS rebinding).
// An address that the peer gave itself is judged as it is, and then may stand for another one (edge/translate.h).
#include "edge/dial/internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct dial_lookup {
    struct resolver_query *query;
    dial_reach *reach;
    char host[USHER_HOST_MAX + 1];
};

static void give_up(struct relay_flow *flow, enum usher_word word, const char *text)
{
    dial_refuse(flow, word, text);
    flow->kind->abandon(flow);
}

static bool has_ports(const struct relay_flow *flow)
{
    return flow->protocol == USHER_TCP || flow->protocol == USHER_UDP;
}

// `host` NULL: an address was asked for; `addr` NULL: the name is refused as such.
static void tell_denied(const struct relay_flow *flow, const char *host, const struct address *addr)
{
    struct judge_denial denial = {.protocol = flow->protocol, .host = host};
    struct endpoint origin;
    if (flow->opening.session && usher_session_origin(flow->opening.session, &origin))
        denial.from = &origin.addr;
    if (addr)
        denial.to.addr = *addr;
    denial.to.port = has_ports(flow) ? flow->outside.port : 0;
    if (flow->opening.session)
        edge_reached(&dial_of(flow)->front.edge, flow->opening.session, &denial.to);
    judge_tell_denied(dial_of(flow)->config.judge, &denial);
}

static void deny(struct relay_flow *flow, const char *host, const struct address *addr)
{
    tell_denied(flow, host, addr);
    give_up(flow, USHER_DENIED, "not permitted");
}

// Echo requests of one ICMP do not go to addresses of the other IP.
static bool fits(const struct relay_flow *flow, const struct address *addr)
{
    if (flow->protocol == USHER_ICMP)
        return addr->version == 4;
    return flow->protocol != USHER_ICMPV6 || addr->version == 6;
}

// Where the far end may be.
struct ends {
    struct address list[RESOLVER_ADDRESSES_MAX];
    size_t count;
    struct address denied; // the first that is; version 0: none
    bool some_fit;
};

static void add_end(struct ends *ends, const struct relay_flow *flow, bool allowed, const char *host,
                    const struct address *addr)
{
    const struct judge *judge = dial_of(flow)->config.judge;
    if (!fits(flow, addr))
        return;
    ends->some_fit = true;
    if (allowed || judge->address(judge, flow->protocol, host, addr, flow->outside.port))
        ends->list[ends->count++] = *addr;
    else if (!ends->denied.version)
        ends->denied = *addr;
}

static void reach_ends(struct relay_flow *flow, dial_reach *reach, const char *host, const struct ends *ends)
{
    if (ends->count > 0)
        reach(flow, ends->list, ends->count);
    else if (ends->some_fit)
        deny(flow, host, &ends->denied);
    else
        give_up(flow, USHER_UNREACHABLE, "net: no address of that IP version");
}

static void reach_address(struct relay_flow *flow, dial_reach *reach, const struct address *addr)
{
    const struct translate *translate = dial_of(flow)->config.translate;
    struct ends ends = {0};
    add_end(&ends, flow, false, NULL, addr);
    if (ends.count > 0 && translate)
        ends.count = translate->address(translate, addr, ends.list);
    reach_ends(flow, reach, NULL, &ends);
}

// A name that needs no resolver. If no rule allows it as such, then it is judged as that which it stands for.
static void reach_name(struct relay_flow *flow, dial_reach *reach, bool allowed, const char *host)
{
    const struct translate *translate = dial_of(flow)->config.translate;
    struct address there[TRANSLATE_MAX];
    struct ends ends = {0};
    size_t count = translate->name(translate, there);
    for (size_t i = 0; i < count; i++)
        add_end(&ends, flow, allowed, host, &there[i]);
    reach_ends(flow, reach, host, &ends);
}

static void drop_lookup(struct relay_flow *flow)
{
    free(flow->making);
    flow->making = NULL;
    flow->phase = DIAL_CONNECTING;
    dial_of(flow)->lookups--;
}

void dial_lookup_cancel(struct relay_flow *flow)
{
    if (flow->phase != DIAL_RESOLVING)
        return;
    resolver_cancel(((struct dial_lookup *)flow->making)->query);
    drop_lookup(flow);
}

static void resolved(void *owner, const struct resolver_answer *answer)
{
    struct relay_flow *flow = owner;
    const struct dial_lookup *lookup = flow->making;
    dial_reach *reach = lookup->reach;
    char host[USHER_HOST_MAX + 1];
    strcpy(host, lookup->host);
    drop_lookup(flow);
    struct ends ends = {0};
    for (size_t i = 0; i < answer->count; i++)
        add_end(&ends, flow, false, host, &answer->addrs[i]);
    if (answer->count == 0)
        give_up(flow, USHER_RESOLVE, answer->why);
    else
        reach_ends(flow, reach, host, &ends);
}

static void look_up(struct relay_flow *flow, const char *host, dial_reach *reach)
{
    struct dial *dial = dial_of(flow);
    enum judge_name verdict = dial->config.judge->name(dial->config.judge, flow->protocol, host, flow->outside.port);
    if (verdict == JUDGE_NO_NAME)
        give_up(flow, USHER_RESOLVE, "not a host name");
    else if (verdict == JUDGE_DENIED)
        deny(flow, host, NULL);
    else if (dial->config.translate && dial->config.translate->name)
        reach_name(flow, reach, verdict == JUDGE_ALLOWED, host);
    else if (!dial->config.resolver)
        give_up(flow, USHER_RESOLVE, "names are not resolved here");
    else if (dial->lookups >= PENDING_LOOKUPS_MAX)
        give_up(flow, USHER_LIMIT, "too many names are being resolved");
    else {
        struct dial_lookup *lookup = memory_new(sizeof *lookup);
        strcpy(lookup->host, host);
        lookup->reach = reach;
        flow->making = lookup;
        flow->phase = DIAL_RESOLVING;
        dial->lookups++;
        lookup->query = resolver_lookup(dial->config.resolver, host, resolved, flow);
    }
}

void dial_look_up(struct relay_flow *flow, const struct usher_open *open, dial_reach *reach)
{
    struct address addr = open->addr;
    // An IPv4 address in text form comes as a host name; it is an address all the same.
    if (addr.version != 0 || address_parse(&addr, open->host))
        reach_address(flow, reach, &addr);
    else
        look_up(flow, open->host, reach);
}

// Whether where the flow goes says what was asked for.
static bool speaks_for_itself(const struct dial *dial, const struct usher_open *open)
{
    struct address addr;
    return !dial->config.translate && (open->addr.version != 0 || address_parse(&addr, open->host));
}

static const char *asked_text(const struct usher_open *open, char room[ADDRESS_TEXT_SIZE])
{
    return open->addr.version ? address_text(&open->addr, room) : open->host;
}

size_t dial_asked_size(const struct dial *dial, const struct usher_open *open)
{
    char room[ADDRESS_TEXT_SIZE];
    return speaks_for_itself(dial, open) ? 1 : strlen(asked_text(open, room)) + 1;
}

void dial_asked_put(char *room, const struct dial *dial, const struct usher_open *open)
{
    char text[ADDRESS_TEXT_SIZE];
    strcpy(room, speaks_for_itself(dial, open) ? "" : asked_text(open, text));
}

// Else it is an address, if anything.
static bool is_name(const char *asked)
{
    struct address addr;
    return *asked && !address_parse(&addr, asked);
}

static bool name_may_stay(const struct relay_flow *flow, const char *host)
{
    const struct dial *dial = dial_of(flow);
    const struct judge *judge = dial->config.judge;
    enum judge_name verdict = judge->name(judge, flow->protocol, host, flow->outside.port);
    if (verdict == JUDGE_ALLOWED && dial->config.translate)
        return true; // as reach_name has it
    return verdict != JUDGE_DENIED &&
           (flow->phase == DIAL_RESOLVING ||
            judge->address(judge, flow->protocol, host, &flow->outside.addr, flow->outside.port));
}

bool dial_judge_anew(const struct relay_flow *flow, const char *asked)
{
    const struct judge *judge = dial_of(flow)->config.judge;
    struct address addr = flow->outside.addr;
    bool named = is_name(asked);
    if (*asked && !named)
        address_parse(&addr, asked);
    bool may =
        named ? name_may_stay(flow, asked) : judge->address(judge, flow->protocol, NULL, &addr, flow->outside.port);
    if (!may)
        tell_denied(flow, named ? asked : NULL, addr.version ? &addr : NULL);
    return may;
}
