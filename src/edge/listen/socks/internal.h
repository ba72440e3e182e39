// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of this entrance share.
//
//     socks.c       its life, its listeners           handshake.c   one connection until its request is whole
//     connect.c     CONNECT: flows of the relay       udp.c         UDP ASSOCIATE: a control connection and its port
//     reply.c       what clients are told             message.c     bytes
#ifndef EDGE_LISTEN_SOCKS_INTERNAL_H
#define EDGE_LISTEN_SOCKS_INTERNAL_H

#include "edge/edge.h"
#include "edge/listen/socks/config.h"
#include "edge/listen/socks/message.h"
#include "edge/relay/front.h"
#include "os/alarm.h"

#include <sys/socket.h>

enum { HANDSHAKE_LINES = 2 };

struct socks {
    struct relay_front front; // first
    uv_loop_t *loop;
    struct socks_config config;
    bool has_password;
    struct socks_password password;     // to be named
    struct relay_kind streams, sources; // the relay's flows
    struct list doors;                  // listeners
    struct timeline lines[HANDSHAKE_LINES];
    uint32_t waiting[HANDSHAKE_LINES]; // how many there are
    struct alarm alarm;                // for the first of them
    struct list associations;
    uint32_t association_count;
    struct socks_counters counters;
    uint8_t datagram[SOCKS_UDP_HEADER_MAX + USHER_BODY_MAX]; // on its way to a client
};

static inline struct socks *socks_of(struct edge *edge)
{
    return container_of(edge, struct socks, front.edge);
}

// MaxFlows is reached.
static inline bool socks_is_full(const struct socks *socks)
{
    return socks->front.relay->count >= socks->config.max_flows;
}

#endif
