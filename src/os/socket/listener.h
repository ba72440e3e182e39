// SPDX-License-Identifier: GPL-2.0-or-later
// Listening sockets on the loop.
#ifndef OS_SOCKET_LISTENER_H
#define OS_SOCKET_LISTENER_H

#include "base/address.h"

#include <uv.h>

struct listener;

// `fd` is the callee's. It is non-blocking and close-on-exec.
typedef void listener_accepted(void *owner, int fd, const struct endpoint *peer);

// `fd` listens (socket_listen) and is the listener's from now on.
struct listener *listener_new(uv_loop_t *loop, int fd, listener_accepted *accepted, void *owner);
// Its socket, which stays its own.
int listener_fd(const struct listener *listener);
void listener_free(struct listener *listener);

#endif
