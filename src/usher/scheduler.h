// SPDX-License-Identifier: GPL-2.0-or-later
// Who sends data next: those that are new or send little before the others; the others by deficit round robin (Shreedhar
// and Varghese, 1995). The numbers are measured: a quantum of 64 KiB beats 16 KiB in rate and in the latency of the
// others, because a flow's records then stay together all the way to the far socket. Many sparse senders together cannot
// starve the others: after a quantum from them, one record of bulk goes.
//
// It orders places, and knows nothing of what stands on them.
#ifndef USHER_SCHEDULER_H
#define USHER_SCHEDULER_H

#include "base/clock.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SCHEDULER_QUANTUM = 64 * 1024,     // bytes of a turn on the bulk list
    SCHEDULER_SPARSE_BYTES = 8 * 1024, // sent within SCHEDULER_SPARSE_WINDOW: less is sparse
};
#define SCHEDULER_SPARSE_WINDOW (4 * USEC_PER_MSEC)

// Of one sender.
struct place {
    struct list link;  // on `sparse` or `bulk` while it has a turn coming
    uint16_t spent;    // bytes of its present turn on the bulk list, below SCHEDULER_QUANTUM
    uint16_t burst;    // bytes sent within the present SCHEDULER_SPARSE_WINDOW, 65,535 for more
    uint16_t burst_ms; // when that began, in milliseconds modulo 2^16
    bool bulk;         // the list it is on is `bulk`
};

struct scheduler {
    struct list sparse;
    struct list bulk;
    uint32_t sparse_run; // bytes from the sparse list since bulk was served
    usec_t sparse_until; // a sparse one sent within the last SCHEDULER_SPARSE_WINDOW
};

void scheduler_init(struct scheduler *scheduler);
bool scheduler_has_work(const struct scheduler *scheduler);
bool scheduler_is_interactive(const struct scheduler *scheduler, usec_t now);
// Whose turn it is; NULL: nobody's.
struct place *scheduler_next(const struct scheduler *scheduler);

void place_init(struct place *place, usec_t now);
// Whether it has a turn coming.
bool place_is_taken(const struct place *place);
// Puts it on the list where it belongs, if it is on none.
void place_take(struct place *place, struct scheduler *scheduler, usec_t now);
void place_leave(struct place *place);
// `len` bytes were sent in its turn, at most SCHEDULER_QUANTUM: stays in front, goes to the back, or moves from sparse to
// bulk.
void place_charge(struct place *place, struct scheduler *scheduler, uint32_t len, usec_t now);

#endif
