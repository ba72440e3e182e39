// SPDX-License-Identifier: GPL-2.0-or-later
// Each application that sends to a port has an association of its own. One whose far end is refused stays for a moment, so
// that a flood of datagrams is no flood of UsherOpen.
#include "edge/listen/forward/internal.h"
#include "edge/relay/reason.h"

// Of a source: what flow.phase is.
enum { FORWARD_OPEN, FORWARD_REFUSED };

static struct forward_port *port_of(struct relay_bound *bound)
{
    return container_of(bound, struct forward_port, bound);
}

const struct forward_port *forward_udp_port(const struct relay_flow *flow)
{
    return port_of(((const struct relay_source *)flow)->bound);
}

static const char *host(const struct relay_flow *flow)
{
    const struct usher_open *to = &forward_udp_port(flow)->to;
    return to->addr.version ? NULL : to->host;
}

static const char *state(const struct relay_flow *flow)
{
    return flow->phase == FORWARD_REFUSED ? "refused" : "pending";
}

static void refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    struct relay_source *source = (struct relay_source *)flow;
    forward_tell(port_of(source->bound), &source->inside, word, text);
    flow->phase = FORWARD_REFUSED;
    relay_flow_wait(flow, RELAY_WAIT_CONNECT);
}

static void expired(struct relay_flow *flow)
{
    if (flow->phase == FORWARD_REFUSED)
        relay_source_abandon(flow);
    else
        relay_source_expired(flow);
}

void forward_udp_placed(struct relay_flow *flow)
{
    relay_flow_wait(flow, RELAY_WAIT_UDP);
}

static struct relay_source *route(struct relay_bound *bound, struct usher_datagram *datagram)
{
    struct forward_port *port = port_of(bound);
    struct forward *forward = port->forward;
    struct relay_source *source = relay_source_find(bound, &datagram->from, NULL);
    if (source)
        return source->flow.phase == FORWARD_REFUSED ? NULL : source;
    if (!forward_has_room(forward))
        return NULL;
    source = relay_source_add(bound, &forward->udp, sizeof *source, &datagram->from, &port->to);
    edge_open(&forward->front.edge, &source->flow.opening);
    return source;
}

void forward_udp_init(struct forward *forward)
{
    forward->udp = (struct relay_kind){.relay = forward->front.relay,
                                       .expired = expired,
                                       .abandon = relay_source_abandon,
                                       .inside = relay_source_inside,
                                       .host = host,
                                       .state = state,
                                       .refused = refused};
}

bool forward_udp_begin(struct forward_port *port, int fd)
{
    static const struct relay_bound_ops ops = {.route = route};
    return relay_bound_open(&port->bound, port->forward->front.relay, fd, &ops);
}
