// SPDX-License-Identifier: GPL-2.0-or-later
// The entrance for people, and for programs that speak nothing but TCP: it asks for host and port in a line of text, and
// relays from there on. A name goes to the other end as it is. Who comes in is told in words why it goes nowhere; when it
// goes somewhere, the far end's bytes are all that comes.
#ifndef EDGE_LISTEN_ASK_ASK_H
#define EDGE_LISTEN_ASK_ASK_H

#include "edge/edge.h"
#include "edge/listen/ask/config.h"

#include <uv.h>

struct ask;

struct ask *ask_new(uv_loop_t *loop, const struct ask_config *config);
struct edge *ask_edge(struct ask *ask);
// `fd` listens (socket_listen), where only those come who may, and is the callee's from now on.
void ask_listen(struct ask *ask, int fd);
// No more there; who has come in stays.
void ask_listen_no_more(struct ask *ask, const struct endpoint *at);

#endif
