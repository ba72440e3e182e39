// SPDX-License-Identifier: GPL-2.0-or-later
// CONNECT: a flow of the relay, whose socket is the client's.
#ifndef EDGE_LISTEN_SOCKS_CONNECT_H
#define EDGE_LISTEN_SOCKS_CONNECT_H

#include "edge/listen/socks/internal.h"

void connect_init(struct socks *socks);
// Takes the client's socket, of which nothing but the request was read.
void connect_begin(struct socks *socks, int fd, const struct endpoint *client, const struct socks_request *request);
// Of edge_kind.
void connect_want(const struct opening *opening, struct want *out);
void connect_placed(struct opening *opening);
void connect_refused(struct opening *opening, enum usher_word word, const char *text);

#endif
