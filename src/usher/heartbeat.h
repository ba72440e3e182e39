// SPDX-License-Identifier: GPL-2.0-or-later
// Liveness (doc/PROTOCOL.md section 9). A side that has sent nothing for 10 s sends a beat; a peer from which nothing
// came for 30 s is dead. Both only when ALPN usher/1 was agreed: a peer that does not know it may be silent for hours
// with good reason, and the link's own keep-alive finds out whether it is there.
#ifndef USHER_HEARTBEAT_H
#define USHER_HEARTBEAT_H

#include "base/clock.h"

#include <stdbool.h>

#define HEARTBEAT_INTERVAL (10 * USEC_PER_SEC)
#define HEARTBEAT_SILENCE  (30 * USEC_PER_SEC)

struct heartbeat {
    bool agreed;
    bool due; // a beat waits to be pulled
    usec_t sent_at;
    usec_t received_at;
};

void heartbeat_init(struct heartbeat *heartbeat, bool agreed, usec_t now);
// Any byte went; any byte came.
void heartbeat_sent(struct heartbeat *heartbeat, usec_t now);
void heartbeat_received(struct heartbeat *heartbeat, usec_t now);

usec_t heartbeat_deadline(const struct heartbeat *heartbeat);
// Sets `due` when it is time; false when the peer is dead.
bool heartbeat_check(struct heartbeat *heartbeat, usec_t now);

#endif
