// SPDX-License-Identifier: GPL-2.0-or-later
// Things that wait equally long, in order of time: the first is always the next to be due, so beginning to wait, beginning
// anew and expiring cost the same for one and for 100,000, and nothing is ever searched.
//
// Moments are milliseconds of the monotonic clock, of which the low 32 bits are kept and compared as differences: spans are
// below 24 days.
#ifndef BASE_TIMELINE_H
#define BASE_TIMELINE_H

#include "base/clock.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Part of what waits; on one timeline at most, and it may leave it for any other list.
struct timed {
    struct list node;
    uint32_t due;
    uint32_t own; // the owner's, for what it likes: there would be padding else
};

struct timeline {
    struct list waiting; // in order of `due`
    uint32_t span;
};

static inline uint32_t timeline_moment(usec_t now)
{
    return (uint32_t)(now / USEC_PER_MSEC);
}

void timeline_init(struct timeline *timeline, uint32_t span);
// Begins (again) to wait, from `now`; takes `timed` off whatever list it was on.
void timeline_put(struct timeline *timeline, struct timed *timed, uint32_t now);
// Takes off the next one that is due; NULL when there is none.
struct timed *timeline_expired(struct timeline *timeline, uint32_t now);
// Takes off the next one, due or not; NULL when there is none.
struct timed *timeline_pop(struct timeline *timeline);
bool timeline_is_empty(const struct timeline *timeline);
// When the first thing of all these lines is due, no earlier than `now` or a millisecond before; USEC_NEVER: nothing waits.
usec_t timelines_deadline(const struct timeline *lines, size_t count, usec_t now);

#endif
