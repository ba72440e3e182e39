// SPDX-License-Identifier: GPL-2.0-or-later
// One TCP connection to whichever of several addresses answers first: they are tried in order, each a little after the
// one before (RFC 8305), so that a dead address family costs a quarter of a second and not a timeout.
#ifndef LINK_CONNECTOR_H
#define LINK_CONNECTOR_H

#include "base/address.h"

#include <uv.h>

struct connector;

// `done` comes exactly once, from the loop and never from within this call: a connected socket, which is the owner's
// from then on, or -1 and one sentence. At most CONNECTOR_MAX addresses are tried.
enum { CONNECTOR_MAX = 16 };
struct connector *connector_new(uv_loop_t *loop, const struct endpoint *to, size_t count, uint32_t mark,
                                void (*done)(void *owner, int fd, const char *why), void *owner);
// Gives up without a callback. Also after `done`, and from within it.
void connector_free(struct connector *connector);

#endif
