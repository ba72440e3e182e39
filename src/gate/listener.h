// SPDX-License-Identifier: GPL-2.0-or-later
// Listening sockets on the loop.
#ifndef GATE_LISTENER_H
#define GATE_LISTENER_H

#include "base/address.h"
#include "base/fault.h"

#include <uv.h>

struct listener;

// `fd` is the callee's. It is non-blocking and close-on-exec.
typedef void listener_accepted(void *owner, int fd, const struct endpoint *peer);

struct listener *listener_new(uv_loop_t *loop, const struct endpoint *at, listener_accepted *accepted, void *owner,
                              struct fault *fault);
void listener_free(struct listener *listener);

#endif
