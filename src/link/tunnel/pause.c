// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/tunnel/pause.h"

void pause_init(struct pause *pause)
{
    *pause = (struct pause){.began = USEC_NEVER};
}

void pause_begin(struct pause *pause, usec_t from, usec_t now)
{
    if (pause_is_on(pause))
        return;
    pause->began = from < now ? from : now;
    pause->since = time(NULL) - (time_t)((now - pause->began) / USEC_PER_SEC);
    pause->count++;
}

void pause_end(struct pause *pause, usec_t now)
{
    pause->last = now - pause->began;
    pause->began = USEC_NEVER;
}

bool pause_is_on(const struct pause *pause)
{
    return pause->began != USEC_NEVER;
}

usec_t pause_until(const struct pause *pause)
{
    return pause->began + pause->patience;
}

void pause_describe(const struct pause *pause, struct facts *facts)
{
    facts_counter(facts, "pauses", "connections that were lost, and others carried the tunnel on or are to", FACT_COUNT,
                  pause->count);
    facts_gauge(facts, "last_pause_us", "how long the last one lasted that is over", FACT_MICROSECONDS, pause->last);
    if (pause_is_on(pause))
        facts_gauge(facts, "paused_since", "when the pause began", FACT_UNIX_SECONDS, (uint64_t)pause->since);
}
