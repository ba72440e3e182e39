// SPDX-License-Identifier: GPL-2.0-or-later
// Two holders of one certificate take each other's place at a gate that keeps the newer login (Duplicate = replace). Whoever
// was displaced twice in a row waits for longer each time, or both would do nothing else for ever.
#ifndef LINK_PATH_DISPLACED_H
#define LINK_PATH_DISPLACED_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct displaced {
    bool is;          // twice in a row: the next wait is displaced_wait
    bool was;         // the last tunnel was
    uint32_t wait_ms; // the last one; 0: none
};

// A tunnel has ended that was up for `lasted`; `replaced`: by another login.
void displaced_judge(struct displaced *displaced, bool replaced, usec_t lasted);
// Milliseconds to wait, a quarter more or less; `random` is any number.
uint32_t displaced_wait(const struct displaced *displaced, uint32_t random);

#endif
