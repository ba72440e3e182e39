// SPDX-License-Identifier: GPL-2.0-or-later
// What the entrance is told when it begins, how much it may take, and what it counts.
#ifndef EDGE_LISTEN_SOCKS_CONFIG_H
#define EDGE_LISTEN_SOCKS_CONFIG_H

#include "base/address.h"
#include "os/socket/poller.h"

struct socks_config {
    struct poller *poller;      // borrowed
    const struct prefix *allow; // who may use it, borrowed
    size_t allow_count;
    const char *user, *password; // RFC 1929, copied; both or neither
    uint32_t max_flows;
    uint32_t udp_idle_ms, udp_dns_idle_ms;
    bool udp_offload;
};

enum {
    SOCKS_UNFINISHED_MAX = 1024,   // handshakes: one takes a round trip, and a few dozen come in that time
    SOCKS_ASSOCIATIONS_MAX = 1024, // UDP: an application has one or two
    SOCKS_GUESSES_MAX = 256,       // wrong passwords that wait for their answer
    // What descriptors are for besides flows: an association has two.
    SOCKS_DESCRIPTORS = SOCKS_UNFINISHED_MAX + 2 * SOCKS_ASSOCIATIONS_MAX + SOCKS_GUESSES_MAX,
};

#define SOCKS_COUNTERS(X)                                                                                              \
    X(socks_strangers, "SOCKS clients closed unheard, whose addresses may not use it")                                 \
    X(socks_wrong_passwords, "SOCKS clients that named a wrong user or password")                                      \
    X(socks_unfinished, "SOCKS clients dropped that did not finish their handshake in time")

struct socks_counters {
#define SOCKS_COUNTER_FIELD(name, help) uint64_t name;
    SOCKS_COUNTERS(SOCKS_COUNTER_FIELD)
#undef SOCKS_COUNTER_FIELD
};

#endif
