// SPDX-License-Identifier: GPL-2.0-or-later
// The entrance for applications that speak SOCKS: versions 4, 4a and 5, CONNECT and UDP ASSOCIATE. A name goes to the gate
// as it is. A client is answered once the far side has been, and what it sends before that waits in its socket.
#ifndef EDGE_LISTEN_SOCKS_SOCKS_H
#define EDGE_LISTEN_SOCKS_SOCKS_H

#include "edge/edge.h"
#include "edge/listen/socks/config.h"

#include <uv.h>

struct socks;

struct socks *socks_new(uv_loop_t *loop, const struct socks_config *config);
struct edge *socks_edge(struct socks *socks);
// `fd` listens (socket_listen) and is the callee's from now on.
void socks_listen(struct socks *socks, int fd);
// No more there; who has come in stays.
void socks_listen_no_more(struct socks *socks, const struct endpoint *at);
// Who may use it from now on, as in struct socks_config. Who is in already stays.
void socks_admit(struct socks *socks, const struct prefix *allow, size_t count, const char *user, const char *password);

#endif
