// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker does for its portal: the tunnel comes, and with it all that the portal may use; it pauses, goes on, and goes.
#ifndef GATE_WORKER_SERVING_H
#define GATE_WORKER_SERVING_H

#include "link/tunnel/tunnel.h"

struct worker;

// The owner is the worker.
extern const struct tunnel_ops serving_ops;
// The lane that it began with carries a tunnel of its own.
void serving_begin(struct worker *worker);
// Another lane carries it now, `from` elsewhere. The supervisor says so in the log.
void serving_carried(void *worker, const struct endpoint *from);
// At the end of each turn.
void serving_turned(void *worker, usec_t now);
// The certificate that the portal was shown is soon out of date, and there is a newer one.
void serving_change_over(void *owner);

#endif
