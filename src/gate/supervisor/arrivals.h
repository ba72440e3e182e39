// SPDX-License-Identifier: GPL-2.0-or-later
// Connections that balancers pass on, until it is known whose they are: a herald (gate/herald/herald.h) is started with the first,
// and asked about each. What it says is checked, and it is ended when it says nothing any more.
#ifndef GATE_SUPERVISOR_ARRIVALS_H
#define GATE_SUPERVISOR_ARRIVALS_H

#include "base/address.h"
#include "base/facts.h"

#include <uv.h>

enum { ARRIVALS_MAX = 256 }; // at a time; then the oldest gives way

struct arrivals;

struct arrivals_config {
    uv_loop_t *loop;
    const char *user; // whom the herald becomes; borrowed
    // Both are given the connection. `peer` is whose it is; for the other, the balancer, and why it is not to be served.
    void (*came)(void *owner, int fd, const struct endpoint *peer);
    void (*refused)(void *owner, int fd, const struct endpoint *balancer, const char *why);
    void *owner;
};

struct arrivals *arrivals_new(const struct arrivals_config *config);
// A connection of a balancer's, which is taken over, and the time that its header has.
void arrivals_take(struct arrivals *arrivals, int fd, const struct endpoint *balancer, uint64_t timeout_ms);
// Ends the herald, and waits for its end; what is under way is closed. The next connection starts another.
void arrivals_rest(struct arrivals *arrivals);
void arrivals_free(struct arrivals *arrivals);
void arrivals_describe(const struct arrivals *arrivals, struct facts *facts);

#endif
