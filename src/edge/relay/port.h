// SPDX-License-Identifier: GPL-2.0-or-later
// The port of a UDP socket, for whoever stands behind it: one association, or all applications that send to one place. Many
// datagrams come and go in one call, those that go the same way as a batch (batch.h), and what ICMP says of them is heard.
#ifndef EDGE_RELAY_PORT_H
#define EDGE_RELAY_PORT_H

#include "edge/relay/flow.h"
#include "os/socket/udp.h"

struct relay_port;

struct relay_port_ops {
    // Datagrams of `message->piece` bytes each, but the last, from one sender (of an internet protocol). The port may be
    // closed in it.
    void (*received)(struct relay_port *port, const struct udp_message *message);
    // errno of a datagram to there; `to` of version 0: unknown. False: the port is closed over it.
    bool (*failed)(struct relay_port *port, const struct endpoint *to, int error);
};

struct relay_port {
    struct poller_watch watch; // fd -1: none
    const struct relay_port_ops *ops;
    struct relay *relay;
    bool connected : 1;       // the socket has one far end: addresses count for nothing
    bool brings_batches : 1;  // the last messages were some, or nothing has come yet
    bool refuses_batches : 1; // the path does
};

// Without a socket.
void relay_port_init(struct relay_port *port, struct relay *relay, const struct relay_port_ops *ops);
// Takes a socket (os/socket/socket.h), bound or about to be, which is the port's from now on. False with errno.
bool relay_port_open(struct relay_port *port, int fd);
// What waits to be sent is lost. Closing twice is harmless.
void relay_port_close(struct relay_port *port);
// It reads no more, as somebody else does who has the same socket; it sends on.
void relay_port_deafen(struct relay_port *port);
// A datagram to datagram->to, at the end of the turn at the latest. Nothing else is queued: what the socket does not take is
// lost, as on any network.
void relay_port_send(struct relay_port *port, const struct usher_datagram *datagram);
// Sends what of this port waits for the end of the turn. False when the port has been closed over it.
bool relay_port_send_waiting(struct relay_port *port);
// The same for whichever port it is.
void relay_port_flush(struct relay *relay);

// The datagram that begins at byte `at` of a message.
static inline size_t relay_port_piece(const struct udp_message *message, size_t at)
{
    size_t left = message->len - at;
    return left < message->piece ? left : message->piece;
}

#endif
