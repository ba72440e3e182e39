// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of this entrance share. Each calls only those further down:
//
//     handed.c                   life, and openings
//     stream.c  datagrams.c      what is handed over, and what then goes on behind it
//     tell.c                     the answer
#ifndef EDGE_LISTEN_HANDED_INTERNAL_H
#define EDGE_LISTEN_HANDED_INTERNAL_H

#include "edge/edge.h"
#include "edge/listen/handed/config.h"
#include "edge/relay/front.h"
#include "edge/relay/stream.h"

struct handed {
    struct relay_front front; // first
    uv_loop_t *loop;
    struct handed_config config;
    struct relay_kind streams, datagrams;
    uint16_t last_number;
    uint8_t message[USHER_BODY_MAX]; // on its way to the peer
};

// Of TCP, and of UDP too: that has the same parts, and a socket of its own kind in `watch`.
struct handed_flow {
    struct relay_stream stream; // first; its flow is `broken` when it was given up before the answer
    handed_told *told;          // NULL: it has been
    void *owner;
    struct endpoint inside; // nobody's: loopback, and a number that tells it from others in lists
    char host[];            // "": the address counts
};

static inline struct handed_flow *handed_flow_of(struct relay_flow *flow)
{
    return (struct handed_flow *)flow;
}

static inline struct handed *handed_of(const struct relay_flow *flow)
{
    return container_of(relay_front_of(flow), struct handed, front);
}

// stream.c
void handed_streams_init(struct handed *handed);

// datagrams.c; the owner of these is the struct handed_flow.
extern const struct usher_session_ops handed_datagrams_ops;
void handed_datagrams_init(struct handed *handed);

// tell.c
void handed_tell(struct handed_flow *flow, int fd, int error, const char *why);
// The same of a session that was refused.
void handed_tell_refused(struct handed_flow *flow, enum usher_word word, const char *text);
// The end of a pair that is not ours.
void handed_tell_opened(struct handed_flow *flow, int fd);

// For both kinds.
const struct endpoint *handed_inside(const struct relay_flow *flow);
const char *handed_host(const struct relay_flow *flow);

#endif
