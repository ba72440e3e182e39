// SPDX-License-Identifier: GPL-2.0-or-later
// Workers whose tunnels are to end with their last sessions. They are told in small parts: each of their portals logs in anew at
// once.
#ifndef GATE_SUPERVISOR_DRAINAGE_H
#define GATE_SUPERVISOR_DRAINAGE_H

#include "gate/supervisor/child.h"

enum {
    DRAINAGE_PART = 10, // every DRAINAGE_MS: a hundred logins a second
    DRAINAGE_MS = 100,
    DRAINAGE_OF_NAME_MAX = 8, // that drain at once; of more the oldest ends
};

struct drainage;

// The list of children is borrowed.
struct drainage *drainage_new(uv_loop_t *loop, const struct list *children);
void drainage_free(struct drainage *drainage);
// All that are there now; returns how many were not told before.
uint64_t drainage_begin(struct drainage *drainage, uint64_t timeout_ms);
// A worker drains that did not before.
void drainage_bound(const struct drainage *drainage, const struct child *child);
// Those that hold a place of MaxPortals: not those that drain.
size_t drainage_others(const struct drainage *drainage);

#endif
