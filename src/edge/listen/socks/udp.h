// SPDX-License-Identifier: GPL-2.0-or-later
// UDP ASSOCIATE: a port for one client's datagrams, which lives as long as the connection that asked for it.
#ifndef EDGE_LISTEN_SOCKS_UDP_H
#define EDGE_LISTEN_SOCKS_UDP_H

#include "edge/listen/socks/internal.h"

void udp_init(struct socks *socks);
// Takes the client's connection. `port` is where its datagrams will come from; 0: where the first one does.
void udp_begin(struct socks *socks, int fd, const struct endpoint *client, uint16_t port);
void udp_end_all(struct socks *socks);
// Of edge_kind.
void udp_want(const struct opening *opening, struct want *out);
void udp_placed(struct opening *opening);
void udp_refused(struct opening *opening);

#endif
