// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/handed/handed.h"

#include "base/memory.h"
#include "edge/listen/handed/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct handed *of_edge(struct edge *edge)
{
    return container_of(edge, struct handed, front.edge);
}

static void want(const struct opening *opening, struct want *out)
{
    const struct handed_flow *flow = container_of(opening, struct handed_flow, stream.flow.opening);
    const struct relay_flow *relayed = &flow->stream.flow;
    *out = (struct want){
        .open = {.protocol = relayed->protocol,
                 .addr = relayed->outside.addr,
                 .port = relayed->outside.port,
                 .by_name = relayed->by_name},
        .origin = flow->inside,
        .ops = relayed->protocol == USHER_TCP ? &relay_stream_ops : &handed_datagrams_ops,
    };
    strcpy(out->open.host, flow->host);
}

static void placed(struct opening *opening)
{
    relay_flow_rest(container_of(opening, struct relay_flow, opening));
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    struct relay_flow *flow = container_of(opening, struct relay_flow, opening);
    flow->kind->refused(flow, word, text);
}

static void stop(struct edge *edge)
{
    struct handed *handed = of_edge(edge);
    relay_free(handed->front.relay);
    free(handed);
}

static const struct edge_kind kind = {
    .name = "handed",
    .want = want,
    .placed = placed,
    .refused = refused,
    .before_pull = relay_front_before_pull,
    .flows = relay_front_flows,
    .each_flow = relay_front_each_flow,
    .stop = stop,
};

struct handed *handed_new(uv_loop_t *loop, const struct handed_config *config)
{
    struct handed *handed = memory_new(sizeof *handed);
    const struct relay_config relay = {
        .loop = loop,
        .poller = config->poller,
        .udp_idle_ms = config->udp_idle_ms,
    };
    handed->loop = loop;
    handed->config = *config;
    relay_front_init(&handed->front, &kind, &relay);
    handed_streams_init(handed);
    handed_datagrams_init(handed);
    return handed;
}

struct edge *handed_edge(struct handed *handed)
{
    return &handed->front.edge;
}

static struct endpoint next_inside(struct handed *handed)
{
    handed->last_number = handed->last_number == UINT16_MAX ? 1 : handed->last_number + 1;
    return (struct endpoint){.addr = {.version = 4, .bytes = {127, 0, 0, 1}}, .port = handed->last_number};
}

struct handed_flow *handed_open(struct handed *handed, const struct usher_open *to, handed_told *told, void *owner)
{
    if (handed->front.relay->count >= handed->config.max_flows)
        return NULL;
    const struct relay_kind *kind = to->protocol == USHER_TCP ? &handed->streams : &handed->datagrams;
    size_t host = strlen(to->host) + 1;
    struct handed_flow *flow = (struct handed_flow *)relay_stream_add(kind, sizeof *flow + host, to);
    flow->told = told;
    flow->owner = owner;
    flow->inside = next_inside(handed);
    memcpy(flow->host, to->host, host);
    edge_open(&handed->front.edge, &flow->stream.flow.opening);
    return flow;
}

// A session that ends before it begins is abuse to the peer, which ends the tunnel over a flood of them: its answer is
// waited for.
void handed_give_up(struct handed_flow *flow)
{
    struct relay_flow *relayed = &flow->stream.flow;
    flow->told = NULL;
    if (!relayed->opening.session) {
        relayed->kind->abandon(relayed);
        return;
    }
    relayed->broken = true;
    relayed->error = ECONNABORTED;
}
