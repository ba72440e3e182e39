// SPDX-License-Identifier: GPL-2.0-or-later
// How long to wait before the next attempt: 0.2 s, doubling to 10 s, each spread by a quarter either way so that the
// portals of a gate that was restarted do not come back in step. The caller brings the randomness.
#ifndef LINK_PATH_BACKOFF_H
#define LINK_PATH_BACKOFF_H

#include "base/clock.h"

#include <stdint.h>

enum {
    BACKOFF_FIRST_USEC = 200 * USEC_PER_MSEC,
    BACKOFF_LAST_USEC = 10 * USEC_PER_SEC,
    BACKOFF_STABLE_USEC = 10 * USEC_PER_SEC, // a tunnel that was up for so long starts anew from the first step
};

struct backoff {
    usec_t step; // 0: none yet
};

void backoff_reset(struct backoff *backoff);
// The next wait, in 0.75 to 1.25 times the step; `random` is any number.
usec_t backoff_next(struct backoff *backoff, uint32_t random);

#endif
