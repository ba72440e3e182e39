// SPDX-License-Identifier: GPL-2.0-or-later
// A UDP association with a socket of its own, for a session that the peer opened. Opened by an IPv4 address: an unconnected
// socket for one inside endpoint towards any number of destinations, each judged. Else: a connected one, one far end.
#ifndef EDGE_RELAY_ASSOCIATION_H
#define EDGE_RELAY_ASSOCIATION_H

#include "edge/relay/port.h"
#include "edge/relay/remotes.h"

struct relay_association {
    struct relay_flow flow; // first
    struct relay_port port;
    struct endpoint inside; // where the latest datagram came from
    uint16_t last_port;     // that was sent to
    bool answered;          // something has come back
    struct remotes remotes; // of an unconnected socket
};

// The flows of an edge's associations; `inside` is relay_association_inside, and `expired` relay_association_expired.
struct relay_association_kind {
    struct relay_kind flow; // first
    const struct remotes_rules *rules;
    const struct edge *edge; // theirs
};

// For sessions of associations; their owner is the struct relay_association.
extern const struct usher_session_ops relay_association_ops;

// A new flow of `size` bytes that begins with a struct relay_association.
struct relay_association *relay_association_add(const struct relay_association_kind *kind, size_t size,
                                                const struct usher_open *open);
// Takes the socket, for flow.outside; `from` is the address that it is to have, NULL: as the kernel chooses. False with errno;
// the socket is the association's all the same.
bool relay_association_begin(struct relay_association *association, int fd, const struct address *from);
// Closes the socket, if there is one, and retires the flow. Its session is gone.
void relay_association_close(struct relay_association *association);
void relay_association_expired(struct relay_flow *flow);
const struct endpoint *relay_association_inside(const struct relay_flow *flow);

#endif
