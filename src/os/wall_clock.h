// SPDX-License-Identifier: GPL-2.0-or-later
// News of the wall clock: somebody has set it. What was judged by the old one is then judged anew at once.
#ifndef OS_WALL_CLOCK_H
#define OS_WALL_CLOCK_H

#include "base/fault.h"

#include <uv.h>

struct wall_clock;

// `set` comes from the loop, after each setting.
struct wall_clock *wall_clock_watch(uv_loop_t *loop, void (*set)(void *owner), void *owner, struct fault *fault);
void wall_clock_free(struct wall_clock *clock);

#endif
