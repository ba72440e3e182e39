// SPDX-License-Identifier: GPL-2.0-or-later
// What forwards are told when they begin, and what they count.
#ifndef EDGE_LISTEN_FORWARD_CONFIG_H
#define EDGE_LISTEN_FORWARD_CONFIG_H

#include "os/socket/poller.h"

struct forward_config {
    uv_loop_t *loop;
    struct poller *poller; // borrowed
    uint32_t max_flows;
    uint32_t udp_idle_ms;
    uint32_t udp_dns_idle_ms;
    bool udp_offload; // datagrams may go and come as batches (edge/relay/batch.h)
};

#define FORWARD_COUNTERS(X)                                                                                            \
    X(forwards_refused, "applications that a forward could not serve: their far ends were refused")                    \
    X(forwards_limited, "applications that a forward could not serve: too many flows")

struct forward_counters {
#define FORWARD_COUNTER_FIELD(name, help) uint64_t name;
    FORWARD_COUNTERS(FORWARD_COUNTER_FIELD)
#undef FORWARD_COUNTER_FIELD
};

#endif
