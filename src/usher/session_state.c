// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a session. What each part may do is its own; here is what one part's step means for the others and for the
// engine.
#include "usher/session_state.h"

#include "base/memory.h"
#include "usher/engine_state.h"

#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct usher_session) <= 104, "ten thousand held sessions stay small");

static bool take_id(struct usher_session *session, uint16_t proposed)
{
    struct ids *ids = &session->engine->ids;
    session->opening.id = ids_adopt(ids, proposed, session) ? proposed : ids_allocate(ids, session);
    return session->opening.id != 0;
}

static void count(struct usher_session *session, int by)
{
    struct usher_engine *engine = session->engine;
    if (session->opening.refused)
        engine->refusals += (uint32_t)by;
    else if (session->opening.aside)
        engine->control = by > 0 ? session : NULL;
    else
        engine->sessions += (uint32_t)by;
}

struct usher_session *session_new(struct usher_engine *engine, const struct usher_open *open,
                                  const struct opening *opening, uint16_t proposed)
{
    struct usher_session *session = memory_new(sizeof *session);
    session->engine = engine;
    session->opening = *opening;
    if (!take_id(session, proposed)) {
        free(session);
        return NULL;
    }
    place_init(&session->place, engine->now);
    if (opening->stream)
        credit_init(&session->credit, engine->now);
    else
        association_init(&session->association, open);
    if (opening->incoming)
        engine->unanswered++;
    count(session, 1);
    if (engine->account && !opening->aside)
        engine->account->came(engine->accountant, session, open, opening->incoming);
    return session;
}

struct usher_session *session_find(struct usher_engine *engine, uint16_t id)
{
    struct usher_session *session = ids_find(&engine->ids, id);
    bool waits = session && session->closing.state == SESSION_PENDING && !session->opening.incoming;
    if (session && session->closing.state != SESSION_INACTIVE && !waits)
        return session;
    engine->counters.strays++;
    return NULL;
}

// Everything queued is thrown away, and no byte that still comes has a place to go.
static void discard(struct usher_session *session)
{
    struct usher_engine *engine = session->engine;
    place_leave(&session->place);
    due_drop(&session->due);
    intake_forget(&engine->intake, session);
    if (session->opening.stream)
        credit_fini(&session->credit, &engine->budget);
    else
        datagrams_clear(&engine->datagrams, &session->association.queue);
}

void session_set_state(struct usher_session *session, enum session_state state)
{
    if (session->closing.state == SESSION_PENDING && session->opening.incoming)
        session->engine->unanswered--;
    closing_step(&session->closing, state);
    if (state == SESSION_INACTIVE)
        discard(session);
    else
        session_seek_turn(session);
}

void session_account_for(const struct usher_session *session, const struct usher_over *how)
{
    const struct usher_engine *engine = session->engine;
    if (engine->account && !session->opening.aside)
        engine->account->over(engine->accountant, session, how);
}

void session_end(struct usher_session *session, enum usher_ending ending, enum usher_word word, const char *text)
{
    bool attached = opening_detach(&session->opening);
    session_account_for(session, &(struct usher_over){.ending = ending, .word = word, .text = text});
    session_set_state(session, SESSION_INACTIVE);
    if (attached && session->ops->ended)
        session->ops->ended(session->owner, ending, word, text);
}

void session_release(struct usher_session *session)
{
    struct usher_engine *engine = session->engine;
    assert(!session->opening.attached);
    if (session->closing.state != SESSION_INACTIVE)
        session_set_state(session, SESSION_INACTIVE);
    due_drop(&session->due);
    ids_release(&engine->ids, session->opening.id);
    if (session->opening.incoming)
        origins_drop(&engine->origins, session->opening.peer_id);
    if (opening_is_bound(&session->opening))
        ids_unbind(&engine->ids, session->opening.peer_id);
    count(session, -1);
    list_push_back(&engine->dead, &session->place.link);
}

void session_free(struct usher_session *session)
{
    free(session);
}

static bool wants_turn(const struct usher_session *session)
{
    if (!closing_may_send(&session->closing))
        return false;
    if (!session->opening.stream)
        return !list_is_empty(&session->association.queue);
    if (closing_is_finishing(&session->closing))
        return session->ready && credit_room(&session->credit) > 0;
    return session->ready && credit_is_usable(&session->credit);
}

void session_update_turn(struct usher_session *session)
{
    if (wants_turn(session))
        place_take(&session->place, &session->engine->scheduler, session->engine->now);
    else
        place_leave(&session->place);
}

void session_seek_turn(struct usher_session *session)
{
    session_update_turn(session);
    if (place_is_taken(&session->place))
        engine_wake(session->engine);
}
