// SPDX-License-Identifier: GPL-2.0-or-later
// Relay: connected sockets joined to sessions (stream.h) and datagram sockets joined to sessions (association.h, bound.h),
// whoever made the socket and whoever opened the session. An edge has one relay, and kinds of flows in it.
#ifndef EDGE_RELAY_RELAY_H
#define EDGE_RELAY_RELAY_H

#include "edge/relay/flow.h"

struct relay *relay_new(const struct relay_config *config);
// Abandons every flow. Sessions must have ended. Some memory goes when the loop runs next, as libuv wants it.
void relay_free(struct relay *relay);
// End of turn: timers, writing what the turn gathered, reclaiming. `now` is of CLOCK_MONOTONIC, like libuv's own time.
void relay_turn(struct relay *relay, usec_t now);
void relay_each_flow(struct relay *relay, flow_visit *visit, void *arg, usec_t now);

// Visits each flow, which may be retired by that.
void relay_visit(struct relay *relay, void (*visit)(struct relay_flow *flow, void *arg), void *arg);

#endif
