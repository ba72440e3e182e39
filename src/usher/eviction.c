// SPDX-License-Identifier: GPL-2.0-or-later
// Two walks over all sessions, about a millisecond for 10,000; those that have waited for half as long as the longest go
// with it, so one walk mostly does, and 32 in any case. What a run frees has to be filled again before the next.
#include "usher/eviction.h"

#include "usher/engine_state.h"
#include "usher/session_due.h"
#include "usher/session_state.h"

#include <assert.h>

// NULL where nothing is held.
static struct usher_session *holder(const struct usher_engine *engine, uint32_t id)
{
    struct usher_session *session = ids_find(&engine->ids, (uint16_t)id);
    bool holds = session && session->closing.state != SESSION_INACTIVE && session->opening.stream &&
                 credit_held(&session->credit) > 0;
    return holds ? session : NULL;
}

static uint32_t longest_wait(const struct usher_engine *engine)
{
    uint32_t longest = 0;
    for (uint32_t id = 0; id < IDS_SPACE; id++) {
        const struct usher_session *session = holder(engine, id);
        uint32_t waited = session ? credit_waited(&session->credit, engine->now) : 0;
        longest = waited > longest ? waited : longest;
    }
    return longest;
}

static void evict(struct usher_session *session)
{
    session->engine->counters.sessions_evicted++;
    session_abort(session, USHER_LIMIT, EVICTION_REASON);
}

static void evict_waiting(struct usher_engine *engine, uint32_t enough, uint64_t until)
{
    for (uint32_t id = 0; id < IDS_SPACE && engine->budget.held > until; id++) {
        struct usher_session *session = holder(engine, id);
        if (session && credit_waited(&session->credit, engine->now) >= enough)
            evict(session);
    }
}

void eviction_run(struct usher_engine *engine)
{
    uint64_t budget = engine->config.held_budget;
    while (budget > 0 && engine->budget.held > budget) {
        uint64_t before = engine->budget.held;
        evict_waiting(engine, longest_wait(engine) / 2, budget - budget / 8);
        assert(engine->budget.held < before); // who waits for longest is among them
    }
}
