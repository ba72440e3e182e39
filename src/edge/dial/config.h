// SPDX-License-Identifier: GPL-2.0-or-later
// What a dial is told when it begins, and what it counts.
#ifndef EDGE_DIAL_CONFIG_H
#define EDGE_DIAL_CONFIG_H

#include "edge/judge.h"
#include "edge/translate.h"
#include "os/resolver/resolver.h"
#include "os/socket/poller.h"
#include "os/socket/socket.h"

struct dial_config {
    const struct judge *judge;         // of this peer; borrowed
    const struct translate *translate; // of what was judged; borrowed; NULL: it is where its address says
    struct poller *poller;             // borrowed
    struct resolver *resolver;         // borrowed; NULL: names are refused
    int icmp4_fd, icmp6_fd;  // raw ICMP sockets (os/socket/socket.h), borrowed; -1: pings are refused as unsupported
    uint32_t max_flows;      // live and draining
    uint32_t max_connecting; // 4,096
    uint32_t connect_timeout_ms; // 10,000
    uint32_t udp_idle_ms;
    uint32_t udp_dns_idle_ms;
    bool udp_offload;            // datagrams may go and come as batches (edge/relay/batch.h)
    uint32_t mark;               // of the sockets that it makes (SO_MARK); 0: none
    struct socket_source source; // where they go from, and pings
    uint64_t remainder_budget;   // bytes that sessions which are over may have left to be written; 0: a default
};

#define DIAL_COUNTERS(X)                                                                                               \
    X(connects, "connections made")                                                                                    \
    X(refused, "connections that failed")                                                                              \
    X(denied, "opens denied by policy")                                                                                \
    X(datagrams_denied, "datagrams denied by policy")                                                                  \
    X(limited, "opens refused at a limit")

struct dial_counters {
#define DIAL_COUNTER_FIELD(name, help) uint64_t name;
    DIAL_COUNTERS(DIAL_COUNTER_FIELD)
#undef DIAL_COUNTER_FIELD
};

#endif
