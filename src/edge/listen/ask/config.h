// SPDX-License-Identifier: GPL-2.0-or-later
// What the entrance is told when it begins, how much it may take, and what it counts.
#ifndef EDGE_LISTEN_ASK_CONFIG_H
#define EDGE_LISTEN_ASK_CONFIG_H

#include "os/socket/poller.h"

struct ask_config {
    struct poller *poller; // borrowed
    uint32_t max_flows;
};

enum {
    ASK_UNANSWERED_MAX = 256, // that are asked at once: people, who take seconds, and their scripts, which take none
    ASK_DESCRIPTORS = ASK_UNANSWERED_MAX,
};

#define ASK_COUNTERS(X)                                                                                                \
    X(ask_wrong, "wrong answers to where an asked client wants to go")                                                 \
    X(ask_unanswered, "asked clients dropped that did not answer in time")

struct ask_counters {
#define ASK_COUNTER_FIELD(name, help) uint64_t name;
    ASK_COUNTERS(ASK_COUNTER_FIELD)
#undef ASK_COUNTER_FIELD
};

#endif
