// SPDX-License-Identifier: GPL-2.0-or-later
// The edge, and its ports.
#include "edge/listen/forward/forward.h"

#include "base/memory.h"
#include "edge/listen/forward/internal.h"
#include "edge/relay/stream.h"
#include "os/clock.h"
#include "os/socket/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    REFUSED_MS = 1000, // what a source waits that was refused, before another of its datagrams is tried
    LINES_PER_S = 2,   // of the log, for refusals
    LINES_BURST = 20,  // a screenful: enough to see what is going on
};

static struct forward *of_edge(struct edge *edge)
{
    return container_of(edge, struct forward, front.edge);
}

static struct relay_flow *flow_of(const struct opening *opening)
{
    return container_of(opening, struct relay_flow, opening);
}

static const struct forward_port *port_of(const struct relay_flow *flow)
{
    return flow->protocol == USHER_TCP ? forward_tcp_port(flow) : forward_udp_port(flow);
}

static void want(const struct opening *opening, struct want *out)
{
    const struct relay_flow *flow = flow_of(opening);
    out->open = port_of(flow)->to;
    out->origin = *flow->kind->inside(flow);
    out->ops = flow->protocol == USHER_TCP ? &relay_stream_ops : &relay_source_ops;
}

static void placed(struct opening *opening)
{
    struct relay_flow *flow = flow_of(opening);
    if (flow->protocol == USHER_TCP)
        forward_tcp_placed(flow);
    else
        forward_udp_placed(flow);
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    struct relay_flow *flow = flow_of(opening);
    flow->kind->refused(flow, word, text);
}

static void describe(const struct edge *edge, struct facts *facts)
{
    const struct forward_counters *counters = &container_of(edge, const struct forward, front.edge)->counters;
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, counters->name);
    FORWARD_COUNTERS(TELL)
#undef TELL
    facts_end(facts);
}

static void close_port(struct forward_port *port)
{
    list_remove(&port->node);
    listener_free(port->listener);
    if (port->to.protocol == USHER_UDP)
        relay_bound_close(&port->bound);
    free(port);
}

static void stop(struct edge *edge)
{
    struct forward *forward = of_edge(edge);
    relay_free(forward->front.relay); // takes the sources off their ports; itself it goes when the loop runs next
    list_for_each(node, &forward->ports)
        close_port(container_of(node, struct forward_port, node));
    free(forward);
}

static const struct edge_kind kind = {
    .name = "forward",
    .want = want,
    .placed = placed,
    .refused = refused,
    .before_pull = relay_front_before_pull,
    .flows = relay_front_flows,
    .each_flow = relay_front_each_flow,
    .describe = describe,
    .stop = stop,
};

struct forward *forward_new(const struct forward_config *config)
{
    struct forward *forward = memory_new(sizeof *forward);
    const struct relay_config relay = {
        .loop = config->loop,
        .poller = config->poller,
        .udp_offload = config->udp_offload,
        .connect_timeout_ms = REFUSED_MS, // nothing connects here
        .udp_idle_ms = config->udp_idle_ms,
        .udp_dns_idle_ms = config->udp_dns_idle_ms,
    };
    forward->config = *config;
    relay_front_init(&forward->front, &kind, &relay);
    list_init(&forward->ports);
    bucket_init(&forward->lines, LINES_PER_S, LINES_BURST, clock_now());
    forward_tcp_init(forward);
    forward_udp_init(forward);
    return forward;
}

struct edge *forward_edge(struct forward *forward)
{
    return &forward->front.edge;
}

static struct forward_port *find(struct forward *forward, uint16_t protocol, const struct endpoint *at)
{
    list_for_each(node, &forward->ports) {
        struct forward_port *port = container_of(node, struct forward_port, node);
        if (port->to.protocol == protocol && endpoint_equal(&port->at, at))
            return port;
    }
    return NULL;
}

static void reset_of_port(struct relay_flow *flow, void *port)
{
    if (port_of(flow) != port)
        return;
    relay_flow_reset(flow, ECONNRESET);
    flow->kind->abandon(flow);
}

// The exchange has those that have no session yet.
static void reset_openings(struct list *openings, struct forward_port *port)
{
    list_for_each(node, openings)
        reset_of_port(flow_of(container_of(node, struct opening, timed.node)), port);
}

static void reset_flows(struct forward_port *port)
{
    struct forward *forward = port->forward;
    relay_visit(forward->front.relay, reset_of_port, port);
    reset_openings(&forward->front.edge.held.waiting, port);
    reset_openings(&forward->front.edge.refused, port);
    reset_openings(&forward->front.edge.nowhere, port);
    edge_wake(&forward->front.edge);
}

void forward_lead(struct forward *forward, const struct endpoint *at, const struct usher_open *to)
{
    struct forward_port *port = find(forward, to->protocol, at);
    if (!port)
        return;
    reset_flows(port);
    port->to = *to;
}

void forward_close(struct forward *forward, uint16_t protocol, const struct endpoint *at)
{
    struct forward_port *port = find(forward, protocol, at);
    if (!port)
        return;
    reset_flows(port);
    close_port(port);
}

bool forward_add(struct forward *forward, int fd, const struct usher_open *to)
{
    struct forward_port *port = memory_new(sizeof *port);
    port->forward = forward;
    port->to = *to;
    socket_local(fd, &port->at);
    list_push_back(&forward->ports, &port->node);
    if (to->protocol == USHER_TCP ? forward_tcp_begin(port, fd) : forward_udp_begin(port, fd))
        return true;
    int error = errno;
    close_port(port);
    errno = error;
    return false;
}

void forward_release(struct forward *forward)
{
    list_for_each(node, &forward->ports) {
        struct forward_port *port = container_of(node, struct forward_port, node);
        if (port->to.protocol == USHER_UDP && !port->released)
            relay_port_deafen(&port->bound.port);
        listener_free(port->listener);
        port->listener = NULL;
        port->released = true;
    }
}
