// SPDX-License-Identifier: GPL-2.0-or-later
// Happy Eyeballs (RFC 8305): a TCP connection to whichever of several addresses answers first. The families take turns,
// a new attempt starts 250 ms after the last or when that has failed, and the first success ends the others.
#ifndef EDGE_DIAL_EYEBALLS_H
#define EDGE_DIAL_EYEBALLS_H

#include "base/address.h"
#include "os/poller.h"

#include <stddef.h>
#include <uv.h>

struct eyeballs;

// `done` comes once, never from within eyeballs_new, and ends the eyeballs: with a connected descriptor, the callee's
// own, or with -1 and errno of the most telling failure; `to` is the address it is about. The descriptor is still in
// the poller, for a watch that has been forgotten: poller_move or close it.
typedef void eyeballs_done(void *owner, int fd, const struct endpoint *to, int error);

// `count` is at least 1.
struct eyeballs *eyeballs_new(uv_loop_t *loop, struct poller *poller, const struct address *addrs, size_t count,
                              uint16_t port, uint32_t timeout_ms, eyeballs_done *done, void *owner);
// Gives up, without a callback.
void eyeballs_cancel(struct eyeballs *eyeballs);

#endif
