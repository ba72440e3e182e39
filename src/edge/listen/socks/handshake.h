// SPDX-License-Identifier: GPL-2.0-or-later
// One connection from accept until its request is whole, within 10 s. There is no buffer: what has come is looked at where
// it lies, and only whole messages are taken from the socket. When too many are under way the oldest is dropped for a new
// one, so those that never finish keep nobody out.
#ifndef EDGE_LISTEN_SOCKS_HANDSHAKE_H
#define EDGE_LISTEN_SOCKS_HANDSHAKE_H

#include "edge/listen/socks/internal.h"

void handshake_init(struct socks *socks);
void handshake_begin(struct socks *socks, int fd, const struct endpoint *client);
// Ends those whose time is up and sets the alarm for the next.
void handshake_expire(struct socks *socks, usec_t now);
void handshake_end_all(struct socks *socks);

#endif
