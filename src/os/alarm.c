// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/alarm.h"

static void on_timer(uv_timer_t *timer)
{
    struct alarm *alarm = timer->data;
    alarm->at = USEC_NEVER;
    if (alarm->rang)
        alarm->rang(alarm->owner);
}

static void on_closed(uv_handle_t *handle)
{
    struct alarm *alarm = handle->data;
    alarm->rang(alarm->owner);
}

void alarm_init(struct alarm *alarm, uv_loop_t *loop, void (*rang)(void *owner), void *owner)
{
    uv_timer_init(loop, &alarm->timer);
    alarm->timer.data = alarm;
    alarm->at = USEC_NEVER;
    alarm->rang = rang;
    alarm->owner = owner;
}

void alarm_close(struct alarm *alarm, void (*closed)(void *owner), void *owner)
{
    alarm->rang = closed;
    alarm->owner = owner;
    uv_close((uv_handle_t *)&alarm->timer, closed ? on_closed : NULL);
}

// libuv counts whole milliseconds: rounded up, so that a wait of less does not become a turn without end.
void alarm_move(struct alarm *alarm, usec_t at, usec_t now)
{
    alarm->at = at;
    uv_timer_start(&alarm->timer, on_timer, at > now ? (at - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC : 0, 0);
}

void alarm_stop(struct alarm *alarm)
{
    alarm->at = USEC_NEVER;
    uv_timer_stop(&alarm->timer);
}
