// SPDX-License-Identifier: GPL-2.0-or-later
// Who sends next. Control before data; sessions that are new or send little before the others; the others by deficit
// round robin (Shreedhar and Varghese, 1995). The numbers are measured: a quantum of 64 KiB beats 16 KiB in rate and in
// the latency of the others, because a flow's records then stay together all the way to the far socket. Many sparse
// sessions together cannot starve the others: after a quantum from them, one record of bulk goes.
#ifndef USHER_SCHEDULER_H
#define USHER_SCHEDULER_H

#include "base/clock.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct usher_session;

enum {
    SCHEDULER_QUANTUM = 64 * 1024,     // bytes of a turn on the bulk list
    SCHEDULER_SPARSE_BYTES = 8 * 1024, // sent within SCHEDULER_SPARSE_WINDOW: less is sparse
};
#define SCHEDULER_SPARSE_WINDOW (4 * USEC_PER_MSEC)

struct scheduler {
    struct list control;
    struct list sparse;
    struct list bulk;
    uint32_t sparse_run; // bytes from the sparse list since bulk was served
    usec_t sparse_until; // a sparse session sent within the last SCHEDULER_SPARSE_WINDOW
};

void scheduler_init(struct scheduler *scheduler);
bool scheduler_has_work(const struct scheduler *scheduler);
bool scheduler_is_interactive(const struct scheduler *scheduler, usec_t now);

// Something is due: keeps its place when it is on the list already.
void scheduler_add_control(struct scheduler *scheduler, struct usher_session *session);
// Puts the session on the list where it belongs, or takes it off when it has no turn coming.
void scheduler_update(struct scheduler *scheduler, struct usher_session *session, usec_t now);
void scheduler_remove(struct usher_session *session);

struct usher_session *scheduler_next_control(const struct scheduler *scheduler);
struct usher_session *scheduler_next(const struct scheduler *scheduler);
// It sent `len` bytes in its turn: stays in front, goes to the back, or moves from sparse to bulk.
void scheduler_charge(struct scheduler *scheduler, struct usher_session *session, uint32_t len, usec_t now);

#endif
