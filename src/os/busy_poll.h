// SPDX-License-Identifier: GPL-2.0-or-later
// Whether to look again instead of going to sleep. Waking a sleeping process costs more than everything the tunnel does
// with a small request (5 to 50 us, the most on virtual machines), so while messages follow each other closely the loop
// stays awake for the next one, and offers the processor to whoever else is runnable meanwhile (sched_yield(2)).
//
// It costs processor time when the guess is wrong, so guesses are earned: only after BUSY_POLL_TRUST short gaps in a row,
// and after one wait in vain they are earned anew. Traffic in bulk brings its own work: sleeping costs it nothing.
#ifndef OS_BUSY_POLL_H
#define OS_BUSY_POLL_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    // The longest wait: a near server's answer, though both of its ends had to be woken.
    BUSY_POLL_USEC = 200,
    // A gap that is short enough for a guess, while everybody still sleeps: on a machine that takes 100 us to wake a process
    // the same answer needs four of them. Where it is no shorter when we are awake, one wait in vain of BUSY_POLL_USEC
    // in BUSY_POLL_TRUST gaps is what that costs: a sixteenth of a processor.
    BUSY_POLL_ASLEEP_USEC = 400,
    BUSY_POLL_TRUST = 8,       // short gaps in a row before a guess: of nine gaps one at most is waited for in vain
    BUSY_POLL_BULK = 8 * 1024, // bytes between two looks that are no small messages any more
};

// Zeroed at first.
struct busy_poll {
    uint64_t bytes; // at the latest look
    usec_t since;   // when they last grew
    uint32_t trust; // short gaps in a row, up to BUSY_POLL_TRUST
};

// At the end of a turn that has left no work; `bytes` is what the tunnel has moved both ways so far. True when the loop is
// not to sleep; others may have had the processor before it returns.
bool busy_poll_wants(struct busy_poll *poll, uint64_t bytes, usec_t now);

#endif
