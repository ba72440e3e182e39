// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/relay/front.h"

static struct relay *relay_of(const struct edge *edge)
{
    return container_of(edge, const struct relay_front, edge)->relay;
}

void relay_front_init(struct relay_front *front, const struct edge_kind *kind, const struct relay_config *config)
{
    struct relay_config whole = *config;
    whole.wake = relay_front_wake;
    whole.owner = front;
    front->edge.kind = kind;
    front->relay = relay_new(&whole);
}

void relay_front_before_pull(struct edge *edge, usec_t now)
{
    relay_turn(relay_of(edge), now);
}

uint32_t relay_front_flows(const struct edge *edge)
{
    return relay_of(edge)->count;
}

void relay_front_each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now)
{
    relay_each_flow(relay_of(edge), visit, arg, now);
}

void relay_front_wake(void *owner)
{
    struct relay_front *front = owner;
    edge_wake(&front->edge);
}
