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

static void rang(void *owner)
{
    struct names *names = owner;
    edge_wake(&names->edge);
}

void names_wait_init(struct names *names)
{
    for (int i = 0; i < NAMES_WAITS; i++) {
        assert(SPANS[i] > 0); // what begins anew when it is due would never end
        timeline_init(&names->waits[i], SPANS[i]);
    }
    alarm_init(&names->alarm, names->config.loop, rang, names);
}

void names_wait(struct names *names, struct timed *timed, enum names_wait wait)
{
    struct timeline *line = &names->waits[wait];
    list_remove(&timed->node);
    bool first = timeline_is_empty(line);
    usec_t now = uv_now(names->config.loop) * USEC_PER_MSEC;
    timeline_put(line, timed, timeline_moment(now));
    if (first)
        alarm_set(&names->alarm, now + line->span * USEC_PER_MSEC, now);
}

void names_wait_expire(struct names *names, names_expired *const expired[NAMES_WAITS], usec_t now)
{
    for (int i = 0; i < NAMES_WAITS; i++)
        for (struct timed *timed; (timed = timeline_expired(&names->waits[i], timeline_moment(now)));)
            expired[i](names, timed);
    alarm_set(&names->alarm, timelines_deadline(names->waits, NAMES_WAITS, now), now);
}
