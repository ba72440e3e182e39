// SPDX-License-Identifier: GPL-2.0-or-later
// What edges have in common all of whose flows are a relay's, whatever makes the flows: first in the structure of each.
#ifndef EDGE_RELAY_FRONT_H
#define EDGE_RELAY_FRONT_H

#include "edge/relay/relay.h"

struct relay_front {
    struct edge edge; // first
    struct relay *relay;
};

// Makes the relay, which wakes the edge: `config` without what says whom.
void relay_front_init(struct relay_front *front, const struct edge_kind *kind, const struct relay_config *config);

static inline struct relay_front *relay_front_of(const struct relay_flow *flow)
{
    return flow->kind->relay->config.owner;
}

// For the table of the kind.
void relay_front_before_pull(struct edge *edge, usec_t now);
uint32_t relay_front_flows(const struct edge *edge);
void relay_front_each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now);

// For alarms of the edge's own, with the front as their owner.
void relay_front_wake(void *owner);

#endif
