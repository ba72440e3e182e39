// SPDX-License-Identifier: GPL-2.0-or-later
// UDP associations: their sockets.
#include "edge/dial/internal.h"

#include <errno.h>

static char *asked(struct relay_flow *flow)
{
    return (char *)flow + sizeof(struct relay_association);
}

static const char *asked_for(const struct relay_flow *flow)
{
    return (const char *)flow + sizeof(struct relay_association);
}

static void reach(struct relay_flow *flow, const struct address *addrs, size_t count)
{
    struct relay_association *association = (struct relay_association *)flow;
    (void)count;
    flow->outside.addr = addrs[0];
    const struct dial *dial = dial_of(flow);
    int fd = dial_marked(dial, socket_datagram(addrs[0].version));
    if (fd >= 0 && relay_association_begin(association, fd, dial_source(dial, addrs[0].version))) {
        dial_accept(flow);
        return;
    }
    dial_refuse_errno(flow, errno);
    relay_association_close(association);
}

static void abandon(struct relay_flow *flow)
{
    dial_lookup_cancel(flow);
    relay_association_close((struct relay_association *)flow);
}

void dial_udp_init(struct dial *dial)
{
    dial->udp = (struct relay_association_kind){
        .flow = {.relay = dial->front.relay,
                 .expired = relay_association_expired,
                 .abandon = abandon,
                 .inside = relay_association_inside,
                 .asked = asked_for,
                 .state = dial_state},
        .rules = &dial->rules,
        .edge = &dial->front.edge,
    };
}

void dial_udp_open(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    struct relay_association *association =
        relay_association_add(&dial->udp, sizeof *association + dial_asked_size(dial, open), open);
    dial_asked_put(asked(&association->flow), dial, open);
    usher_session_attach(session, &relay_association_ops, association);
    association->flow.opening.session = session;
    dial_look_up(&association->flow, open, reach);
}

bool dial_udp_may_stay(struct relay_flow *flow)
{
    struct relay_association *association = (struct relay_association *)flow;
    if (flow->by_name || flow->pending)
        return dial_judge_anew(flow, asked(flow));
    return remotes_judge_again(&association->remotes, &dial_of(flow)->rules, USHER_UDP);
}
