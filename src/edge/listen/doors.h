// SPDX-License-Identifier: GPL-2.0-or-later
// The sockets on which an entrance listens.
#ifndef EDGE_LISTEN_DOORS_H
#define EDGE_LISTEN_DOORS_H

#include "base/facts.h"
#include "base/list.h"
#include "os/socket/listener.h"

// `doors` is a list that is initialised. `fd` listens and is the callee's from now on.
void doors_open(struct list *doors, uv_loop_t *loop, int fd, listener_accepted *accepted, void *owner);
void doors_close(struct list *doors);
// The one that listens there, if there is one. Who has come in stays.
void doors_close_at(struct list *doors, const struct endpoint *at);
// Their addresses, as a list of that name.
void doors_describe(const struct list *doors, struct facts *facts, const char *name, const char *help);

#endif
