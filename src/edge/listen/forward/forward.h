// SPDX-License-Identifier: GPL-2.0-or-later
// Forwards: each listening socket leads to one far end behind the tunnel, whoever connects to it. An application has
// connected before the far end is asked, so it cannot be told that that one refuses: its connection is reset, never ended
// in order. Who sends datagrams hears nothing.
#ifndef EDGE_LISTEN_FORWARD_FORWARD_H
#define EDGE_LISTEN_FORWARD_FORWARD_H

#include "edge/edge.h"
#include "edge/listen/forward/config.h"

struct forward;

struct forward *forward_new(const struct forward_config *config);
// The entrance that it is; frees it when it is stopped. Its time is CLOCK_MONOTONIC, as libuv's own.
struct edge *forward_edge(struct forward *forward);

// What comes to `fd` goes to `to`, of TCP or UDP: a socket that listens, or one that is bound (os/socket/socket.h), the edge's from
// now on in any case. False with errno.
bool forward_add(struct forward *forward, int fd, const struct usher_open *to);
// From now on what comes to that place, by the protocol of `to`, leads there; what is open is reset.
void forward_lead(struct forward *forward, const struct endpoint *at, const struct usher_open *to);
// Closes the port; what is open is reset.
void forward_close(struct forward *forward, uint16_t protocol, const struct endpoint *at);

// Somebody else has the same sockets and takes what comes to them from now on; what has come goes on.
void forward_release(struct forward *forward);

#endif
