// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/relay/remainder.h"

// In the order in which sockets have last taken something.
static struct relay_flow *stillest(struct relay *relay)
{
    list_for_each(node, &relay->waits[RELAY_WAIT_DRAIN].waiting) {
        struct relay_flow *flow = container_of(node, struct relay_flow, opening.timed.node);
        if (flow->remains)
            return flow;
    }
    return NULL;
}

void remainder_begin(struct relay_flow *flow, uint64_t bytes)
{
    struct relay *relay = flow->kind->relay;
    flow->remains = true;
    relay->remainder += bytes;
    for (struct relay_flow *still; relay->remainder > relay->config.remainder_budget && (still = stillest(relay));) {
        relay->remainders_lost++;
        still->kind->abandon(still);
    }
}

void remainder_less(struct relay_flow *flow, uint64_t bytes)
{
    if (flow->remains)
        flow->kind->relay->remainder -= bytes;
}
