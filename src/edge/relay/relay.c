// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a relay, its turn, and the listing of its flows.
#include "edge/relay/relay.h"

#include "base/memory.h"
#include "edge/relay/port.h"
#include "edge/relay/stream.h"
#include "os/socket/udp.h"

#include <stdlib.h>

enum {
    DRAIN_TIMEOUT_MS = 5 * 60 * 1000, // an end that takes nothing for so long has lost what was left for it
    ECHO_IDLE_MS = 30 * 1000,         // a ping session without a request
};

struct relay *relay_new(const struct relay_config *config)
{
    struct relay *relay = memory_new(sizeof *relay);
    const uint32_t spans[RELAY_WAITS] = {
        [RELAY_WAIT_CONNECT] = config->connect_timeout_ms,
        [RELAY_WAIT_DRAIN] = DRAIN_TIMEOUT_MS,
        [RELAY_WAIT_UDP] = config->udp_idle_ms,
        [RELAY_WAIT_UDP_DNS] = config->udp_dns_idle_ms,
        [RELAY_WAIT_ECHO] = ECHO_IDLE_MS,
    };
    relay->config = *config;
    if (!config->remainder_budget)
        relay->config.remainder_budget = RELAY_REMAINDER_MAX;
    list_init(&relay->resting);
    list_init(&relay->retired);
    list_init(&relay->unflushed);
    queue_spares_init(&relay->spares);
    for (int i = 0; i < RELAY_WAITS; i++)
        timeline_init(&relay->waits[i], spans[i]);
    relay->batch = batch_new();
    alarm_init(&relay->alarm, config->loop, config->wake, config->owner);
    return relay;
}

static struct relay_flow *flow_of(struct list *node)
{
    return container_of(node, struct relay_flow, opening.timed.node);
}

static void free_retired(struct relay *relay)
{
    struct list *node;
    while ((node = list_pop_front(&relay->retired)))
        free(flow_of(node));
}

static void abandon_all(struct list *list)
{
    list_for_each(node, list)
        flow_of(node)->kind->abandon(flow_of(node));
}

// Ports of an edge may be closed after its relay, and look whether the batch is theirs.
static void closed(void *owner)
{
    struct relay *relay = owner;
    batch_free(relay->batch);
    free(relay);
}

void relay_free(struct relay *relay)
{
    abandon_all(&relay->resting);
    for (int i = 0; i < RELAY_WAITS; i++)
        abandon_all(&relay->waits[i].waiting);
    free_retired(relay);
    queue_spares_fini(&relay->spares);
    if (relay->inbox)
        udp_inbox_free(relay->inbox);
    alarm_close(&relay->alarm, closed, relay);
}

void relay_turn(struct relay *relay, usec_t now)
{
    relay_flows_expire(relay, now);
    relay_streams_flush(relay);
    relay_port_flush(relay);
    free_retired(relay);
    if (!relay->count && relay->inbox)
        udp_inbox_trim(relay->inbox);
}

static const char *state_of(const struct relay_flow *flow)
{
    if (flow->pending && flow->kind->state)
        return flow->kind->state(flow);
    if (!flow->opening.session)
        return "draining";
    return flow->closing ? "closing" : usher_session_state(flow->opening.session);
}

static void describe(const struct relay_flow *flow, struct flow_info *info, usec_t now)
{
    usec_t since = flow->opening.timed.own * USEC_PER_SEC;
    *info = (struct flow_info){
        .who = &flow->opening,
        .protocol = flow->protocol,
        .outside = flow->outside,
        .state = state_of(flow),
        .age = now > since ? now - since : 0,
    };
    if (flow->kind->inside)
        info->inside = *flow->kind->inside(flow);
    if (flow->kind->host)
        info->host = flow->kind->host(flow);
    if (flow->kind->asked)
        info->asked = flow->kind->asked(flow);
    if (!flow->opening.session)
        return;
    usher_session_origin(flow->opening.session, &info->asked_by);
    uint64_t sent = usher_session_sent(flow->opening.session), received = usher_session_received(flow->opening.session);
    info->bytes_out = relay_flow_is_ours(flow) ? sent : received;
    info->bytes_in = relay_flow_is_ours(flow) ? received : sent;
}

static void describe_all(struct list *list, flow_visit *visit, void *arg, usec_t now)
{
    list_for_each(node, list) {
        struct flow_info info;
        describe(flow_of(node), &info, now);
        visit(arg, &info);
    }
}

void relay_each_flow(struct relay *relay, flow_visit *visit, void *arg, usec_t now)
{
    describe_all(&relay->resting, visit, arg, now);
    for (int i = 0; i < RELAY_WAITS; i++)
        describe_all(&relay->waits[i].waiting, visit, arg, now);
}

static void visit_all(struct list *list, void (*visit)(struct relay_flow *flow, void *arg), void *arg)
{
    list_for_each(node, list)
        visit(flow_of(node), arg);
}

void relay_visit(struct relay *relay, void (*visit)(struct relay_flow *flow, void *arg), void *arg)
{
    visit_all(&relay->resting, visit, arg);
    for (int i = 0; i < RELAY_WAITS; i++)
        visit_all(&relay->waits[i].waiting, visit, arg);
}
