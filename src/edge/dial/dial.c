// SPDX-License-Identifier: GPL-2.0-or-later
// Opens come in, are held against the limits and go to the file of their protocol. What flows share is in flow.c,
// their waiting in wait.c, names in lookup.c.
#include "edge/dial/dial.h"

#include "base/memory.h"
#include "edge/dial/internal.h"
#include "edge/dial/queue.h"
#include "os/random.h"
#include "os/udp.h"

#include <stdlib.h>

static struct dial *dial_of(struct edge *edge)
{
    return container_of(edge, struct dial, edge);
}

static void start_pingers(struct dial *dial)
{
    dial_pinger_start(dial, &dial->pinger4, dial->config.icmp4_fd);
    dial_pinger_start(dial, &dial->pinger6, dial->config.icmp6_fd);
    table_init(&dial->pings);
    random_fill(&dial->next_echo, sizeof dial->next_echo);
}

static void free_retired(struct dial *dial)
{
    struct list *link;
    while ((link = list_pop_front(&dial->retired)))
        free(container_of(link, struct dial_flow, link));
}

static void alarm_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void stop(struct edge *edge)
{
    struct dial *dial = dial_of(edge);
    struct list *link;
    for (int i = 0; i < WAITS; i++) {
        list_for_each(node, &dial->waits[i].flows) {
            struct dial_flow *flow = container_of(node, struct dial_flow, link);
            flow->kind->abandon(flow);
        }
    }
    free_retired(dial);
    while ((link = list_pop_front(&dial->spare)))
        queue_free(container_of(link, struct dial_queue, link));
    udp_inbox_free(dial->inbox);
    table_fini(&dial->pings);
    dial_pinger_stop(&dial->pinger4);
    dial_pinger_stop(&dial->pinger6);
    uv_close((uv_handle_t *)&dial->alarm, alarm_closed);
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
    const struct dial *dial = container_of(edge, struct dial, edge);
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

static struct dial_flow *new_flow(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    if (open->protocol == USHER_TCP)
        return dial_tcp_new(dial, session, open);
    if (open->protocol == USHER_UDP)
        return dial_udp_new(dial, session, open);
    return dial_icmp_new(dial, session, open);
}

static void adopt(struct edge *edge, struct usher_session *session, const struct usher_open *open)
{
    struct dial *dial = dial_of(edge);
    if (dial->count >= dial->config.max_flows)
        refuse_limit(dial, session, "too many flows");
    else if (dial->connecting >= dial->config.max_connecting)
        refuse_limit(dial, session, "too many connections are being made");
    else
        dial_flow_open(new_flow(dial, session, open), open);
}

static void before_pull(struct edge *edge, usec_t now)
{
    struct dial *dial = dial_of(edge);
    dial_waits_run(dial, now);
    dial_tcp_flush(dial);
    dial_udp_flush(dial);
    free_retired(dial);
}

static const char *state_of(const struct dial_flow *flow)
{
    if (flow->resolving)
        return "resolving";
    if (flow->connecting)
        return "connecting";
    if (!flow->session)
        return "draining";
    return flow->closing ? "closing" : usher_session_state(flow->session);
}

static void describe(const struct dial_flow *flow, struct flow_info *info, usec_t now)
{
    usec_t since = flow->since * USEC_PER_SEC;
    *info = (struct flow_info){
        .protocol = flow->protocol,
        .outside = flow->outside,
        .state = state_of(flow),
        .age = now > since ? now - since : 0,
    };
    if (flow->kind->inside)
        info->inside = *flow->kind->inside(flow);
    if (flow->session) {
        info->bytes_out = usher_session_received(flow->session);
        info->bytes_in = usher_session_sent(flow->session);
    }
}

static void each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now)
{
    struct dial *dial = dial_of(edge);
    for (int i = 0; i < WAITS; i++) {
        list_for_each(node, &dial->waits[i].flows) {
            struct flow_info info;
            describe(container_of(node, struct dial_flow, link), &info, now);
            visit(arg, &info);
        }
    }
}

static uint32_t flows(const struct edge *edge)
{
    return container_of(edge, struct dial, edge)->count;
}

static const struct edge_kind kind = {
    .name = "dial",
    .serves = serves,
    .adopt = adopt,
    .before_pull = before_pull,
    .flows = flows,
    .each_flow = each_flow,
    .stop = stop,
};

struct dial *dial_new(uv_loop_t *loop, const struct dial_config *config)
{
    struct dial *dial = memory_new(sizeof *dial);
    dial->edge.kind = &kind;
    dial->loop = loop;
    dial->config = *config;
    list_init(&dial->retired);
    list_init(&dial->unflushed);
    list_init(&dial->spare);
    dial->inbox = udp_inbox_new();
    dial_waits_init(dial);
    start_pingers(dial);
    return dial;
}

struct edge *dial_edge(struct dial *dial)
{
    return &dial->edge;
}

const struct dial_counters *dial_counters(const struct dial *dial)
{
    return &dial->counters;
}
