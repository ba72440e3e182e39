// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing here touches a session: who stops an engine may be in the middle of one.
#include "usher/engine_state.h"

#include <stdio.h>

void engine_wake(struct usher_engine *engine)
{
    if (engine->awake)
        return;
    engine->awake = true;
    engine->ops->wake(engine->owner);
}

void engine_stop(struct usher_engine *engine, const char *reason)
{
    if (engine->status != USHER_RUNNING)
        return;
    engine->status = USHER_ENDING;
    snprintf(engine->reason, sizeof engine->reason, "%s", reason);
    engine_wake(engine);
}

void engine_protocol_error(struct usher_engine *engine, const char *what)
{
    char reason[USHER_REASON_MAX + 1];
    snprintf(reason, sizeof reason, "protocol error: %s", what);
    engine_stop(engine, reason);
}

void engine_glitch(struct usher_engine *engine)
{
    engine->counters.glitches++;
    if (!bucket_take(&engine->glitches, engine->now))
        engine_protocol_error(engine, "protocol abuse");
}

void engine_ended(struct usher_engine *engine, const char *reason)
{
    engine->status = USHER_ENDED;
    snprintf(engine->reason, sizeof engine->reason, "ended by the peer: %s", reason);
}
