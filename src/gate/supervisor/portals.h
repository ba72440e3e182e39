// SPDX-License-Identifier: GPL-2.0-or-later
// Connections and what becomes of them: who is let in, what workers tell of their portals, and how they end.
#ifndef GATE_SUPERVISOR_PORTALS_H
#define GATE_SUPERVISOR_PORTALS_H

#include "gate/supervisor/child.h"

struct supervisor;

// For listeners; the owner is the supervisor. `fd` is taken over.
void portals_accept(void *supervisor, int fd, const struct endpoint *peer);
// For arrivals: what a balancer has passed on.
void portals_admit(void *supervisor, int fd, const struct endpoint *peer);
void portals_refuse(void *supervisor, int fd, const struct endpoint *peer, const char *why);
// Those that are in, and stay.
size_t portals_count(const struct supervisor *supervisor);
// Of every worker; the same owner.
extern const struct child_ops portals_ops;

#endif
