// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing is told from within a call of an edge's: what is refused waits on a list of its edge until the end of the turn,
// so that an edge may open from within anything, and no callback frees its caller.
#include "exchange/exchange.h"

#include "base/memory.h"
#include "exchange/guides.h"
#include "exchange/ruling.h"
#include "os/alarm.h"

#include <stdio.h>
#include <stdlib.h>

struct exchange {
    uv_loop_t *loop;
    struct alarm alarm; // for the first of what is held
    struct exchange_config config;
    struct list edges;
    struct guides guides;
    struct usher_engine *engine; // NULL: no tunnel
    bool paused;
    struct ruling ruling;
    struct accounts *accounts; // NULL: nobody wants any
    struct exchange_counters counters;
};

static struct edge *edge_of(struct list *node)
{
    return container_of(node, struct edge, node);
}

static struct opening *opening_of(struct timed *timed)
{
    return container_of(timed, struct opening, timed);
}

static bool has_tunnel(const struct exchange *exchange)
{
    return exchange->engine && !exchange->paused && usher_engine_is_running(exchange->engine);
}

static void hold(struct exchange *exchange, struct edge *edge, struct opening *opening)
{
    exchange->counters.flows_held++;
    timeline_put(&edge->held, &opening->timed, (uint32_t)uv_now(exchange->loop));
    usec_t now = uv_now(exchange->loop) * USEC_PER_MSEC;
    alarm_set(&exchange->alarm, now + exchange->config.hold_ms * USEC_PER_MSEC, now);
}

static void refuse_later(struct exchange *exchange, struct list *refused, struct opening *opening)
{
    list_push_back(refused, &opening->timed.node);
    exchange->config.wake(exchange->config.owner);
}

static void open_through(struct exchange *exchange, struct edge *edge, struct opening *opening,
                         struct usher_engine *engine, const struct want *want)
{
    opening->session = usher_session_open(engine, &want->open, want->ops, opening);
    if (opening->session) {
        usher_session_say_origin(opening->session, &want->origin);
        if (exchange->accounts) {
            accounts_via(exchange->accounts, opening->session, edge->kind->name);
            accounts_from(exchange->accounts, opening->session, &want->origin);
        }
        edge->kind->placed(opening);
    } else
        refuse_later(exchange, &edge->refused, opening);
}

static void open_for(struct edge *edge, struct opening *opening)
{
    struct exchange *exchange = edge->exchange;
    struct usher_engine *engine = has_tunnel(exchange) ? exchange->engine : NULL;
    struct want want;
    edge->kind->want(opening, &want);
    if (guides_lead(&exchange->guides, &want.open, &engine) == GUIDE_NOBODY)
        refuse_later(exchange, &edge->nowhere, opening);
    else if (engine)
        open_through(exchange, edge, opening, engine, &want);
    else
        hold(exchange, edge, opening);
}

static bool is_led(const struct edge *edge, uint16_t protocol, const struct endpoint *to)
{
    const struct exchange *exchange = edge->exchange;
    return guides_know(&exchange->guides, protocol, to);
}

static void wake_for(struct edge *edge)
{
    struct exchange *exchange = edge->exchange;
    exchange->config.wake(exchange->config.owner);
}

static void reached(const struct edge *edge, const struct usher_session *session, const struct endpoint *to)
{
    const struct exchange *exchange = edge->exchange;
    if (exchange->accounts)
        accounts_reached(exchange->accounts, session, to, exchange->ruling.policy);
}

static struct visit *visit(const struct edge *edge, const struct usher_session *session, const struct endpoint *to,
                           const struct address *there)
{
    const struct exchange *exchange = edge->exchange;
    return exchange->accounts ? accounts_visit(exchange->accounts, session, to, there, exchange->ruling.policy) : NULL;
}

static void refuse(struct exchange *exchange, struct edge *edge, struct opening *opening, enum usher_word word,
                   const char *text)
{
    exchange->counters.flows_refused++;
    edge->kind->refused(opening, word, text);
}

struct exchange *exchange_new(uv_loop_t *loop, const struct exchange_config *config)
{
    struct exchange *exchange = memory_new(sizeof *exchange);
    exchange->loop = loop;
    exchange->config = *config;
    ruling_init(&exchange->ruling);
    list_init(&exchange->edges);
    guides_init(&exchange->guides, config->wake, config->owner);
    alarm_init(&exchange->alarm, loop, config->wake, config->owner);
    return exchange;
}

static void refuse_listed(struct exchange *exchange, struct edge *edge, struct list *refused, enum usher_word word,
                          const char *text)
{
    for (struct list *node; (node = list_pop_front(refused));)
        refuse(exchange, edge, opening_of(container_of(node, struct timed, node)), word, text);
}

static void refuse_all(struct exchange *exchange, struct edge *edge)
{
    const char *why = "host: the tunnel is taken down";
    refuse_listed(exchange, edge, &edge->refused, USHER_UNREACHABLE, why);
    refuse_listed(exchange, edge, &edge->nowhere, USHER_UNREACHABLE, why);
    for (struct timed *timed; (timed = timeline_pop(&edge->held));)
        refuse(exchange, edge, opening_of(timed), USHER_UNREACHABLE, why);
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    guides_fini(&exchange->guides);
    while (!list_is_empty(&exchange->edges)) {
        struct edge *edge = edge_of(exchange->edges.prev);
        list_remove(&edge->node);
        refuse_all(exchange, edge);
        edge->kind->stop(edge);
    }
    ruling_fini(&exchange->ruling);
    accounts_free(exchange->accounts);
    alarm_close(&exchange->alarm, free, exchange);
}

void exchange_add(struct exchange *exchange, struct edge *edge)
{
    static const struct edge_host host = {
        .open = open_for, .wake = wake_for, .is_led = is_led, .reached = reached, .visit = visit};
    edge->host = &host;
    edge->exchange = exchange;
    list_init(&edge->refused);
    list_init(&edge->nowhere);
    timeline_init(&edge->held, exchange->config.hold_ms);
    list_push_back(&exchange->edges, &edge->node);
}

void exchange_add_guide(struct exchange *exchange, struct guide *guide)
{
    guides_add(&exchange->guides, guide);
}

bool exchange_lead(const struct exchange *exchange, struct usher_open *open)
{
    struct usher_engine *through;
    return guides_lead(&exchange->guides, open, &through) == GUIDE_LEADS;
}

void exchange_set_policy(struct exchange *exchange, const struct policy *policy)
{
    ruling_set_policy(&exchange->ruling, policy);
}

struct denials *exchange_denials(const struct exchange *exchange)
{
    return exchange->ruling.denials;
}

const struct judge *exchange_judge(const struct exchange *exchange)
{
    return &exchange->ruling.judge;
}

static void open_held(struct exchange *exchange)
{
    list_for_each(node, &exchange->edges) {
        struct edge *edge = edge_of(node);
        for (struct timed *timed; has_tunnel(exchange) && (timed = timeline_pop(&edge->held));)
            open_for(edge, opening_of(timed));
    }
}

static uint64_t now_ms(void *loop)
{
    return uv_now(loop);
}

static void account_for(const struct exchange *exchange, struct usher_engine *engine)
{
    if (engine)
        usher_engine_keep_account(engine, exchange->accounts ? &accounts_ops : NULL, exchange->accounts);
}

void exchange_keep_accounts(struct exchange *exchange, account_told *told, void *owner)
{
    struct accounts *before = exchange->accounts;
    if (!before == !told)
        return;
    exchange->accounts = told ? accounts_new(now_ms, exchange->loop, told, owner) : NULL;
    account_for(exchange, exchange->engine);
    accounts_free(before);
}

void exchange_attach(struct exchange *exchange, struct usher_engine *engine)
{
    exchange->engine = engine;
    account_for(exchange, engine);
    exchange->paused = false;
    list_for_each(node, &exchange->edges) {
        struct edge *edge = edge_of(node);
        if (edge->kind->tunnel_came && has_tunnel(exchange))
            edge->kind->tunnel_came(edge, usher_engine_is_extended(engine));
    }
    open_held(exchange);
}

void exchange_pause(struct exchange *exchange)
{
    exchange->paused = true;
}

void exchange_go_on(struct exchange *exchange)
{
    exchange->paused = false;
    open_held(exchange);
}

void exchange_detach(struct exchange *exchange)
{
    exchange->engine = NULL;
}

void exchange_opened(struct exchange *exchange, struct usher_session *session, const struct usher_open *open)
{
    list_for_each(node, &exchange->edges) {
        struct edge *edge = edge_of(node);
        if (!edge->kind->serves || !edge->kind->serves(edge, open->protocol))
            continue;
        if (exchange->accounts)
            accounts_via(exchange->accounts, session, edge->kind->name);
        edge->kind->adopt(edge, session, open);
        return;
    }
    // Left unattached, which the engine answers: unsupported.
}

void exchange_before_pull(struct exchange *exchange, usec_t now)
{
    guides_turn(&exchange->guides, now);
    list_for_each(node, &exchange->edges) {
        struct edge *edge = edge_of(node);
        if (edge->kind->before_pull)
            edge->kind->before_pull(edge, now);
    }
}

static void refuse_due(struct exchange *exchange, struct edge *edge, uint32_t moment)
{
    refuse_listed(exchange, edge, &edge->refused, USHER_LIMIT, "too many sessions");
    refuse_listed(exchange, edge, &edge->nowhere, USHER_UNREACHABLE, "host: nobody has that address");
    for (struct timed *timed; (timed = timeline_expired(&edge->held, moment));)
        refuse(exchange, edge, opening_of(timed), USHER_UNREACHABLE, "host: there is no tunnel");
}

void exchange_after_pull(struct exchange *exchange, bool link_blocked, usec_t now)
{
    guides_turn(&exchange->guides, now);
    list_for_each(node, &exchange->edges) {
        struct edge *edge = edge_of(node);
        refuse_due(exchange, edge, timeline_moment(now));
        if (edge->kind->after_pull)
            edge->kind->after_pull(edge, link_blocked, now);
        alarm_set(&exchange->alarm, timelines_deadline(&edge->held, 1, now), now);
    }
}

bool exchange_is_holding(const struct exchange *exchange)
{
    list_for_each(node, &exchange->edges) {
        const struct edge *edge = edge_of(node);
        if (!timeline_is_empty(&edge->held) || (edge->kind->is_waiting && edge->kind->is_waiting(edge)))
            return true;
    }
    return false;
}

uint32_t exchange_flows(const struct exchange *exchange)
{
    uint32_t count = 0;
    list_for_each(node, &exchange->edges) {
        const struct edge *edge = edge_of(node);
        count += edge->kind->flows(edge);
    }
    return count;
}

// A visitor who is told by which edge a flow goes, and where a guide leads it.
struct visitor {
    const struct guides *guides;
    flow_visit *visit;
    void *arg;
    const struct edge_kind *kind;
};

static bool is_led_to(const struct guides *guides, const struct flow_info *info, struct usher_open *out)
{
    struct usher_engine *through;
    if (list_is_empty(&guides->list))
        return false;
    *out = (struct usher_open){.protocol = info->protocol, .addr = info->outside.addr, .port = info->outside.port};
    snprintf(out->host, sizeof out->host, "%s", info->host ? info->host : "");
    return guides_lead(guides, out, &through) == GUIDE_LEADS;
}

static void visit_via(void *arg, const struct flow_info *info)
{
    const struct visitor *visitor = arg;
    struct flow_info whole = *info;
    struct usher_open open;
    whole.via = visitor->kind->name;
    whole.ours = visitor->kind->want;
    whole.led = is_led_to(visitor->guides, info, &open) ? &open : NULL;
    visitor->visit(visitor->arg, &whole);
}

// What is held is known by what it wants.
static void each_held(const struct exchange *exchange, struct edge *edge, struct visitor *visitor, uint32_t moment)
{
    list_for_each(node, &edge->held.waiting) {
        const struct timed *timed = container_of(node, struct timed, node);
        struct want want;
        edge->kind->want(container_of(timed, struct opening, timed), &want);
        const struct flow_info info = {
            .who = container_of(timed, struct opening, timed),
            .protocol = (uint8_t)want.open.protocol,
            .inside = want.origin,
            .outside = {.addr = want.open.addr, .port = want.open.port},
            .host = want.open.addr.version ? NULL : want.open.host,
            .state = "waiting",
            .age = (exchange->config.hold_ms - (timed->due - moment)) * (usec_t)USEC_PER_MSEC,
        };
        visit_via(visitor, &info);
    }
}

void exchange_each_flow(struct exchange *exchange, flow_visit *visit, void *arg, usec_t now)
{
    list_for_each(node, &exchange->edges) {
        struct edge *edge = edge_of(node);
        struct visitor visitor = {&exchange->guides, visit, arg, edge->kind};
        edge->kind->each_flow(edge, visit_via, &visitor, now);
        each_held(exchange, edge, &visitor, timeline_moment(now));
    }
}

void exchange_describe(const struct exchange *exchange, struct facts *facts)
{
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, exchange->counters.name);
    EXCHANGE_COUNTERS(TELL)
#undef TELL
    facts_end(facts);
    list_for_each(node, &exchange->edges) {
        const struct edge *edge = edge_of(node);
        if (edge->kind->describe)
            edge->kind->describe(edge, facts);
    }
}

const struct exchange_counters *exchange_counters(const struct exchange *exchange)
{
    return &exchange->counters;
}
