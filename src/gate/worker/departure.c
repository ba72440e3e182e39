// SPDX-License-Identifier: GPL-2.0-or-later
// What the portal says is only noted: it comes from within the engine.
#include "gate/worker/departure.h"

#include "base/memory.h"
#include "gate/channel/channel.h"
#include "gate/worker/accounting.h"
#include "os/clock.h"
#include "os/log.h"

#include <stdlib.h>

void departure_init(struct departure *departure)
{
    departure->idle_since = USEC_NEVER;
    alarm_init(&departure->alarm, departure->loop, NULL, departure);
}

void departure_close(struct departure *departure)
{
    if (departure->alarm.owner)
        alarm_close(&departure->alarm, NULL, NULL);
}

static void ask_portal(struct departure *departure)
{
    if (departure->control && !departure->told)
        control_session_drain(departure->control);
    departure->told |= !!departure->control;
}

void departure_logged_in(struct departure *departure, struct tunnel *tunnel, struct control_session *control)
{
    departure->tunnel = tunnel;
    departure->control = control;
    if (departure->begun)
        ask_portal(departure);
}

void departure_begin(struct departure *departure, uint64_t timeout_ms)
{
    if (departure->begun)
        return;
    departure->begun = true;
    departure->until = clock_now() + timeout_ms * USEC_PER_MSEC;
    if (*departure->who)
        log_info("%s: drains: it ends with its last session, or in %llu s", departure->who,
                 (unsigned long long)timeout_ms / 1000);
    ask_portal(departure);
}

static void tell_supervisor(const struct departure *departure)
{
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_LEAVING;
    channel_send(departure->channel, message);
    free(message);
}

void departure_leave(struct departure *departure)
{
    if (departure->begun)
        return;
    departure_begin(departure, departure->timeout_ms);
    tell_supervisor(departure);
}

void departure_heard(void *owner, bool left)
{
    struct departure *departure = owner;
    departure->peer_left |= left;
    if (departure->begun)
        return;
    departure->told = left; // then it waits for no answer
    departure_leave(departure);
}

// Why the tunnel ends now; NULL: not yet.
static const char *due(struct departure *departure, usec_t now)
{
    bool idle = usher_engine_sessions(tunnel_engine(departure->tunnel)) == 0;
    if (!idle)
        departure->idle_since = USEC_NEVER;
    else if (departure->idle_since == USEC_NEVER)
        departure->idle_since = now;
    if (idle && departure->peer_left)
        return "drained: nothing is open in this tunnel any more";
    if (idle && now - departure->idle_since >= DEPARTURE_IDLE_MS * USEC_PER_MSEC)
        return "drained: nothing is open in this tunnel any more, and the gate is to be left";
    return now >= departure->until ? "the gate is to be left, and DrainTimeout is over" : NULL;
}

void departure_turn(struct departure *departure, usec_t now)
{
    if (!departure->begun || departure->over || !departure->tunnel || !tunnel_engine(departure->tunnel))
        return;
    const char *why = due(departure, now);
    if (why) {
        departure->over = true;
        accounting_ends(departure->accounting, AUDIT_DRAINED);
        tunnel_end(departure->tunnel, why);
        return;
    }
    alarm_set(&departure->alarm, departure->until, now);
    if (departure->idle_since != USEC_NEVER)
        alarm_set(&departure->alarm, departure->idle_since + DEPARTURE_IDLE_MS * USEC_PER_MSEC, now);
}
