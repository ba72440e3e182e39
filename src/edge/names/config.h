// SPDX-License-Identifier: GPL-2.0-or-later
// What the resolver is told when it is made, and its bounds.
#ifndef EDGE_NAMES_CONFIG_H
#define EDGE_NAMES_CONFIG_H

#include "base/address.h"
#include "edge/names/domain.h"
#include "os/socket/poller.h"

#include <stddef.h>
#include <stdint.h>

enum { NAMES_PORT = 53 };

enum {
    NAMES_PENDING_MAX = 4096, // questions at once: some 2 MiB, and a free one of 65,536 ids is found at once
    NAMES_NEAR_MAX = 512,     // of them those that a socket of ours asks for: a descriptor each
    NAMES_TCP_MAX = 256,      // of them those by TCP: 16 MiB of the longest answers
    NAMES_CLIENTS_MAX = 256,  // connections of those who ask by TCP
    NAMES_ASKERS_MAX = 2048,  // ports that others ask from by UDP: half of what exchange/inner.c has room for
    NAMES_REST_MAX = 8,
};

struct names_source;

// Borrowed, for as long as the resolver lives.
struct names_config {
    uv_loop_t *loop;
    struct poller *poller;
    const struct endpoint *addresses; // that answer; the first is who asks the servers
    size_t address_count;
    const struct names_domain *domains;
    size_t domain_count;
    const struct endpoint *servers; // that know the domains, behind the tunnel
    size_t server_count;
    struct names_source *source; // knows answers by itself; NULL: there is none
};

#define NAMES_COUNTERS(X)                                                                                              \
    X(questions, "questions asked of the resolver")                                                                    \
    X(questions_far, "of them those passed to servers behind the tunnel")                                              \
    X(questions_near, "of them those passed to this machine's own servers")                                            \
    X(questions_failed, "questions that no server answered")                                                           \
    X(questions_displaced, "questions that gave way to newer ones")                                                    \
    X(questions_malformed, "what was sent to the resolver and is no question")

struct names_counters {
#define NAMES_COUNTER_FIELD(name, help) uint64_t name;
    NAMES_COUNTERS(NAMES_COUNTER_FIELD)
#undef NAMES_COUNTER_FIELD
};

#endif
