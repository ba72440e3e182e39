// SPDX-License-Identifier: GPL-2.0-or-later
// What the supervisor tells a worker, by its end of the channel (gate/channel/channel.h).
#ifndef GATE_WORKER_ORDERS_H
#define GATE_WORKER_ORDERS_H

struct worker;

// From now on.
void orders_watch(struct worker *worker);

#endif
