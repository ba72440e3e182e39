// SPDX-License-Identifier: GPL-2.0-or-later
// What sessions that have ended in order have left to be written to their sockets. It is in no window any more, and in no
// budget of the tunnel's; so it has one of its own, above which the streams whose sockets have taken nothing for longest are
// reset. Otherwise a peer could open, send a first window, close, and again, to a far end that never reads.
#ifndef EDGE_RELAY_REMAINDER_H
#define EDGE_RELAY_REMAINDER_H

#include "edge/relay/flow.h"

// The flow, which waits for its socket (RELAY_WAIT_DRAIN), has so much left. Others may be abandoned over it, or itself.
void remainder_begin(struct relay_flow *flow, uint64_t bytes);
// So much of it is gone, written or thrown away. Nothing for a flow that has not begun with this.
void remainder_less(struct relay_flow *flow, uint64_t bytes);

#endif
