// SPDX-License-Identifier: GPL-2.0-or-later
// The pauses of a tunnel: from the loss of a lane until the peer has greeted on another. One goes on while lane after lane is
// lost before that.
#ifndef LINK_TUNNEL_PAUSE_H
#define LINK_TUNNEL_PAUSE_H

#include "base/clock.h"
#include "base/facts.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct pause {
    usec_t began;    // the present one; USEC_NEVER: there is none
    time_t since;    // the same by the wall clock
    usec_t patience; // how long it may last without a lane
    uint64_t count;
    usec_t last; // how long the last one was that is over
};

void pause_init(struct pause *pause);
// Began at `from`, if none goes on already.
void pause_begin(struct pause *pause, usec_t from, usec_t now);
void pause_end(struct pause *pause, usec_t now);
bool pause_is_on(const struct pause *pause);
usec_t pause_until(const struct pause *pause); // of one that is on
void pause_describe(const struct pause *pause, struct facts *facts);

#endif
