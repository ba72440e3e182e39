// SPDX-License-Identifier: GPL-2.0-or-later
// News of the host's links, addresses, routes and rules. They come in bursts, so each burst is told once, a moment after it
// began.
#ifndef PORTAL_WATCH_H
#define PORTAL_WATCH_H

#include "os/netlink/netlink.h"

#include <uv.h>

struct watch;

typedef void watch_settled(void *owner);

// `nl` is borrowed. No privilege is needed.
struct watch *watch_new(uv_loop_t *loop, struct netlink *nl, watch_settled *settled, void *owner, struct fault *fault);
void watch_free(struct watch *watch);

// What may be called from `settled` by an owner that acts on what it sees:
// It has changed the host itself. That is no news, and the next burst waits twice as long: a manager that keeps undoing
// what we do is not fought at full speed.
void watch_acted(struct watch *watch);
// There was nothing to do: the next burst is told at full speed again.
void watch_calm(struct watch *watch);
// Tell once more after the pause, whether there are news or not.
void watch_again(struct watch *watch);

#endif
