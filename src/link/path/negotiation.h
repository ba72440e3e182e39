// SPDX-License-Identifier: GPL-2.0-or-later
// Carries the talk with a proxy over a connection to it: sends what is to be said, and receives not a byte more than the
// answer has, within ten seconds.
#ifndef LINK_PATH_NEGOTIATION_H
#define LINK_PATH_NEGOTIATION_H

#include "link/path/proxy.h"

#include <uv.h>

struct negotiation;

// Takes `fd` (connected) over, and `talk` on loan: a kind that is not PROXY_NONE. `done` comes once, from the loop and
// never from within this call, and ends it: `fd` leads to the gate and is the callee's own, or is -1, and talk->verdict
// says why.
struct negotiation *negotiation_new(uv_loop_t *loop, int fd, struct proxy_talk *talk, void (*done)(void *owner, int fd),
                                    void *owner);
// Gives up, without a callback. Not after `done`, nor from within it. NULL is nobody's.
void negotiation_cancel(struct negotiation *negotiation);

#endif
