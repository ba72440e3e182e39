// SPDX-License-Identifier: GPL-2.0-or-later
// Flows that share one time limit, oldest first: the front is always the next to expire, so arming, touching and
// expiring cost the same for one flow and for 100,000. What happens within a turn is dated at its end (`settle`), so
// that no callback needs to know the time.
#ifndef EDGE_CAPTURE_TIMELINE_H
#define EDGE_CAPTURE_TIMELINE_H

#include "base/clock.h"
#include "base/list.h"

#include <stdbool.h>

// On one timeline at most.
struct timed {
    struct list node;
    usec_t since;
};

struct timeline {
    struct list fresh; // put within this turn, not dated yet
    struct list dated; // in the order of `since`
    usec_t span;
};

void timeline_init(struct timeline *timeline, usec_t span);
// Begins (again) to wait; takes `timed` off whatever list it was on.
void timeline_put(struct timeline *timeline, struct timed *timed);
void timeline_settle(struct timeline *timeline, usec_t now);
// Takes off the next one whose time is over; NULL when there is none.
struct timed *timeline_expired(struct timeline *timeline, usec_t now);
// Takes off any one, in order; NULL when there is none left.
struct timed *timeline_pop(struct timeline *timeline);
bool timeline_is_empty(const struct timeline *timeline);
usec_t timeline_deadline(const struct timeline *timeline);

#endif
