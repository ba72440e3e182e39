// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of forward share, and nobody else includes. Each calls only those further down:
//
//     forward.c        life
//     tcp.c  udp.c     what comes to a port becomes flows
//     refusal.c        what is told of those that are refused
#ifndef EDGE_LISTEN_FORWARD_INTERNAL_H
#define EDGE_LISTEN_FORWARD_INTERNAL_H

#include "base/bucket.h"
#include "edge/listen/forward/config.h"
#include "edge/relay/bound.h"
#include "edge/relay/front.h"
#include "os/socket/listener.h"

struct forward {
    struct relay_front front; // first
    struct forward_config config;
    struct relay_kind tcp, udp;
    struct list ports;
    struct bucket lines; // of the log
    uint64_t untold;
    struct forward_counters counters;
};

// One socket that applications come to.
struct forward_port {
    struct list node;
    struct forward *forward;
    struct endpoint at;
    struct usher_open to;
    struct listener *listener; // of TCP
    struct relay_bound bound;  // of UDP
    bool released;             // nothing more comes
};

// tcp.c, udp.c
void forward_tcp_init(struct forward *forward);
void forward_udp_init(struct forward *forward);
bool forward_tcp_begin(struct forward_port *port, int fd);
bool forward_udp_begin(struct forward_port *port, int fd);
void forward_tcp_placed(struct relay_flow *flow);
void forward_udp_placed(struct relay_flow *flow);
const struct forward_port *forward_tcp_port(const struct relay_flow *flow);
const struct forward_port *forward_udp_port(const struct relay_flow *flow);

// refusal.c
// Whether one flow more may be; counts those that may not.
bool forward_has_room(struct forward *forward);
void forward_tell(struct forward_port *port, const struct endpoint *from, enum usher_word word, const char *text);

#endif
