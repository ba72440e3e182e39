// SPDX-License-Identifier: GPL-2.0-or-later
// The alarm is set to the first of all that wait and does nothing but wake the loop, and the turn asks what is due.
#include "edge/names/internal.h"

#include <assert.h>

static const uint32_t SPANS[NAMES_WAITS] = {
    [NAMES_WAIT_TRY] = 2000,     // three of these are about what an application waits for an answer
    [NAMES_WAIT_CLIENT] = 10000, // RFC 7766 section 6.2.3: some seconds
    [NAMES_WAIT_SPARE] = 5000,   // below the 10 s after which a gate closes it from its side
    // Ends, which take a round trip.
    [NAMES_WAIT_ENDING] = 2000,
    [NAMES_WAIT_CLOSED] = 2000,
    [NAMES_WAIT_STREAM] = 2000,
};

static uint32_t moment(const struct names *names)
{
    return (uint32_t)uv_now(names->config.loop);
}

static void alarmed(uv_timer_t *alarm)
{
    struct names *names = alarm->data;
    edge_wake(&names->edge);
}

static void set_alarm(struct names *names, uint32_t due)
{
    int32_t left = (int32_t)(due - moment(names));
    if (uv_is_active((uv_handle_t *)&names->alarm) && (int32_t)(due - names->alarm_due) >= 0)
        return;
    names->alarm_due = due;
    uv_timer_start(&names->alarm, alarmed, left > 0 ? (uint64_t)left : 0, 0);
}

void names_wait_init(struct names *names)
{
    for (int i = 0; i < NAMES_WAITS; i++) {
        assert(SPANS[i] > 0); // what begins anew when it is due would never end
        timeline_init(&names->waits[i], SPANS[i]);
    }
    uv_timer_init(names->config.loop, &names->alarm);
    names->alarm.data = names;
}

void names_wait(struct names *names, struct timed *timed, enum names_wait wait)
{
    struct timeline *line = &names->waits[wait];
    list_remove(&timed->node);
    bool first = timeline_is_empty(line);
    timeline_put(line, timed, moment(names));
    if (first)
        set_alarm(names, timed->due);
}

void names_wait_expire(struct names *names, names_expired *const expired[NAMES_WAITS], usec_t now)
{
    for (int i = 0; i < NAMES_WAITS; i++)
        for (struct timed *timed; (timed = timeline_expired(&names->waits[i], timeline_moment(now)));)
            expired[i](names, timed);
    usec_t first = timelines_deadline(names->waits, NAMES_WAITS, now);
    if (first != USEC_NEVER)
        set_alarm(names, timeline_moment(first));
}
