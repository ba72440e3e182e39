// SPDX-License-Identifier: GPL-2.0-or-later
// Opens come in, are held against the limits and go to the file of their protocol.
#include "edge/dial/dial.h"

#include "base/memory.h"
#include "edge/dial/internal.h"

#include <stdlib.h>

enum { GIVES_WAY_MS = 1000 }; // a host that lives answers sooner, but for a lost SYN

static struct dial *of_edge(struct edge *edge)
{
    return container_of(edge, struct dial, front.edge);
}

static void stop(struct edge *edge)
{
    struct dial *dial = of_edge(edge);
    relay_free(dial->front.relay);
    dial_icmp_fini(dial);
    free(dial);
}

static const struct usher_session_ops no_ops;

static void refuse_limit(struct dial *dial, struct usher_session *session, const char *text)
{
    dial->counters.limited++;
    usher_session_attach(session, &no_ops, NULL);
    usher_session_refuse(session, USHER_LIMIT, text);
}

static bool serves(const struct edge *edge, uint16_t protocol)
{
    const struct dial *dial = container_of(edge, struct dial, front.edge);
    switch (protocol) {
    case USHER_TCP:
    case USHER_UDP:
        return true;
    case USHER_ICMP:
        return dial->pinger4.watch.fd >= 0;
    case USHER_ICMPV6:
        return dial->pinger6.watch.fd >= 0;
    default:
        return false;
    }
}

static void open_flow(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    if (open->protocol == USHER_TCP)
        dial_tcp_open(dial, session, open);
    else if (open->protocol == USHER_UDP)
        dial_udp_open(dial, session, open);
    else
        dial_icmp_open(dial, session, open);
}

static void adopt(struct edge *edge, struct usher_session *session, const struct usher_open *open)
{
    struct dial *dial = of_edge(edge);
    if (dial->front.relay->count >= dial->config.max_flows)
        refuse_limit(dial, session, "too many flows");
    else if (dial->front.relay->pending >= dial->config.max_connecting &&
             !relay_flow_hurry(dial->front.relay, RELAY_WAIT_CONNECT, GIVES_WAY_MS))
        refuse_limit(dial, session, "too many connections are being made");
    else
        open_flow(dial, session, open);
}

static void describe(const struct edge *edge, struct facts *facts)
{
    const struct dial_counters *counters = &container_of(edge, const struct dial, front.edge)->counters;
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, counters->name);
    DIAL_COUNTERS(TELL)
#undef TELL
    facts_counter(facts, "remainders_lost", "flows reset whose far ends did not take what was left for them",
                  FACT_COUNT, container_of(edge, const struct dial, front.edge)->front.relay->remainders_lost);
    facts_end(facts);
}

static const struct edge_kind kind = {
    .name = "dial",
    .serves = serves,
    .adopt = adopt,
    .before_pull = relay_front_before_pull,
    .flows = relay_front_flows,
    .each_flow = relay_front_each_flow,
    .describe = describe,
    .stop = stop,
};

struct dial *dial_new(uv_loop_t *loop, const struct dial_config *config)
{
    struct dial *dial = memory_new(sizeof *dial);
    const struct relay_config relay = {
        .loop = loop,
        .poller = config->poller,
        .udp_offload = config->udp_offload,
        .connect_timeout_ms = config->connect_timeout_ms,
        .udp_idle_ms = config->udp_idle_ms,
        .udp_dns_idle_ms = config->udp_dns_idle_ms,
        .remainder_budget = config->remainder_budget,
    };
    dial->config = *config;
    dial->rules = (struct remotes_rules){
        .judge = config->judge, .translate = config->translate, .denied = &dial->counters.datagrams_denied};
    relay_front_init(&dial->front, &kind, &relay);
    dial_tcp_init(dial);
    dial_udp_init(dial);
    dial_icmp_init(dial);
    return dial;
}

struct edge *dial_edge(struct dial *dial)
{
    return &dial->front.edge;
}

static bool may_stay(struct dial *dial, struct relay_flow *flow)
{
    if (flow->kind == &dial->tcp)
        return dial_tcp_may_stay(flow);
    return flow->kind == &dial->icmp ? dial_icmp_may_stay(flow) : dial_udp_may_stay(flow);
}

// One whose session is over already has nobody to hear of it.
static void judge_flow(struct relay_flow *flow, void *arg)
{
    struct dial *dial = dial_of(flow);
    uint32_t *count = arg;
    if (may_stay(dial, flow))
        return;
    ++*count;
    if (flow->pending) {
        dial_refuse(flow, USHER_DENIED, "not permitted");
    } else if (flow->opening.session) {
        struct usher_session *session = flow->opening.session;
        flow->opening.session = NULL;
        usher_session_reset(session, USHER_DENIED, "not permitted any more");
    }
    flow->kind->abandon(flow);
}

uint32_t dial_judge_again(struct dial *dial)
{
    uint32_t count = 0;
    relay_visit(dial->front.relay, judge_flow, &count);
    edge_wake(&dial->front.edge);
    return count;
}

const struct dial_counters *dial_counters(const struct dial *dial)
{
    return &dial->counters;
}
