// SPDX-License-Identifier: GPL-2.0-or-later
// How a gate is, for balancers: whoever connects is told one line, as HAProxy's agent-check reads it, and nothing is read. A
// connection is over as soon as it is accepted, so there is nothing to be used up.
#ifndef GATE_SUPERVISOR_HEALTH_H
#define GATE_SUPERVISOR_HEALTH_H

#include "config/value_net.h"

#include <uv.h>

struct health;

struct health_config {
    uv_loop_t *loop;
    const struct value_endpoints *at;              // borrowed
    const int *sockets;                            // that listen there, from an earlier program; NULL: they are made
    bool (*takes_more)(void *owner);               // false: it lets nobody in any more
    uint64_t (*load)(void *owner, uint64_t *most); // places that are taken, and how many there are
    void *owner;
};

// NULL with a fault, also where there is nothing to listen on.
struct health *health_new(const struct health_config *config, struct fault *fault);
void health_free(struct health *health);
// Its sockets, as many as there are addresses.
void health_sockets(const struct health *health, int *out);

#endif
