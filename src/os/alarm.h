// SPDX-License-Identifier: GPL-2.0-or-later
// Wakes the loop for the first of many deadlines. Most of them are put off again and again by what arrives, so an alarm is moved
// only when it would ring too late; one that rings too early finds nothing that is due, and is set anew.
#ifndef OS_ALARM_H
#define OS_ALARM_H

#include "base/clock.h"

#include <uv.h>

struct alarm {
    uv_timer_t timer;
    usec_t at; // USEC_NEVER while it is not set
    void (*rang)(void *owner);
    void *owner;
};

// `rang` comes from the loop; NULL where a turn follows anyhow and looks.
void alarm_init(struct alarm *alarm, uv_loop_t *loop, void (*rang)(void *owner), void *owner);
// `closed` comes from the loop, when the memory may go; NULL: nobody waits for that.
void alarm_close(struct alarm *alarm, void (*closed)(void *owner), void *owner);

void alarm_move(struct alarm *alarm, usec_t at, usec_t now);
// It rings at `at`, or before.
static inline void alarm_set(struct alarm *alarm, usec_t at, usec_t now)
{
    if (at < alarm->at)
        alarm_move(alarm, at, now);
}
void alarm_stop(struct alarm *alarm);

#endif
