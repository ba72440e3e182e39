// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of this entrance share.
//
//     ask.c       its life, its listeners       question.c   one connection until it is answered
//     answer.c    flows of the relay            line.c       bytes
#ifndef EDGE_LISTEN_ASK_INTERNAL_H
#define EDGE_LISTEN_ASK_INTERNAL_H

#include "edge/edge.h"
#include "edge/listen/ask/config.h"
#include "edge/relay/front.h"
#include "os/alarm.h"

struct ask {
    struct relay_front front; // first
    uv_loop_t *loop;
    struct ask_config config;
    struct relay_kind streams;
    struct list doors;
    struct timeline unanswered;
    uint32_t unanswered_count;
    struct alarm alarm; // for the first of them
    struct ask_counters counters;
};

static inline struct ask *ask_of(struct edge *edge)
{
    return container_of(edge, struct ask, front.edge);
}

#endif
