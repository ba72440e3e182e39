// SPDX-License-Identifier: GPL-2.0-or-later
// Two walks over all sessions, about a millisecond for 10,000; those that have waited for half as long as the longest go
// with it, so one walk mostly does, and 32 in any case. What a run frees has to be filled again before the next.
#include "usher/eviction.h"

#include "usher/engine_state.h"
#include "usher/session_due.h"
#include "usher/session_state.h"

#include <assert.h>

struct walk {
    uint32_t id;
    uint32_t left; // sessions that are still to come, so that a few make a short walk
};

static struct walk walk_over(const struct usher_engine *engine)
{
    return (struct walk){.left = engine->sessions + engine->refusals + (engine->control ? 1 : 0)};
}

// The next one that holds anything, or NULL.
static struct usher_session *next_holder(const struct usher_engine *engine, struct walk *walk)
{
    while (walk->left > 0 && walk->id < IDS_SPACE) {
        struct usher_session *session = ids_find(&engine->ids, (uint16_t)walk->id++);
        walk->left -= !!session;
        if (session && session->closing.state != SESSION_INACTIVE && session->opening.stream &&
            credit_held(&session->credit) > 0)
            return session;
    }
    return NULL;
}

static uint32_t longest_wait(const struct usher_engine *engine)
{
    uint32_t longest = 0;
    const struct usher_session *session;
    for (struct walk walk = walk_over(engine); (session = next_holder(engine, &walk));) {
        uint32_t waited = credit_waited(&session->credit, engine->now);
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
    struct usher_session *session;
    for (struct walk walk = walk_over(engine); engine->budget.held > until && (session = next_holder(engine, &walk));)
        if (credit_waited(&session->credit, engine->now) >= enough)
            evict(session);
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
