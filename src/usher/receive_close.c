// SPDX-License-Identifier: GPL-2.0-or-later
// After a callback a session may be in any state: nothing is done to it after one without looking again.
#include "usher/receive_close.h"

#include "usher/engine_state.h"
#include "usher/session_due.h"
#include "usher/session_state.h"

// Our UsherRST waits to be pulled, but the peer holds the session as inactive by now and may use the id again: the
// UsherRST would hit the next session.
static void forget_rst(struct usher_engine *engine, uint16_t id)
{
    struct usher_session *session = ids_find(&engine->ids, id);
    if (session && due_has_record(session->due, RECORD_RST) && session->due->last)
        session_release(session);
}

// The opener gave up before our answer has gone: it still gets exactly one.
static void cancelled(struct usher_session *session)
{
    struct usher_engine *engine = session->engine;
    session_end(session, USHER_ENDED_RESET, USHER_FAILED, "given up");
    session_put_refusal(session, "failed: given up");
    if (!bucket_take(&engine->cancelled, engine->now))
        engine_glitch(engine);
}

// Nothing is asked from the edge any more, and what is queued has no use.
static void answer_close(struct usher_session *session)
{
    if (!session->opening.stream)
        datagrams_clear(&session->engine->datagrams, &session->association.queue);
    session_put_close(session);
}

static void peer_finished(struct usher_session *session)
{
    enum session_state next = closing_after_peers(&session->closing);
    bool over = next == SESSION_INACTIVE;
    if (!over)
        session_set_state(session, next);
    due_done(&session->due, DUE_ACK); // it has no use for credit
    if (session->ops->finished)
        session->ops->finished(session->owner);
    if (!over)
        return;
    if (session->closing.state != SESSION_INACTIVE) // else reset in there, but the peer has no use for an UsherRST
        session_end(session, USHER_ENDED_CLOSED, USHER_FAILED, "");
    session_release(session);
}

static void peer_stopped(struct usher_session *session)
{
    if (session->closing.peer_stopped)
        engine_glitch(session->engine); // it said so before
    if (!closing_peer_stops(&session->closing, false))
        return;
    answer_close(session);
    if (session->ops->stop_sending)
        session->ops->stop_sending(session->owner);
}

static void peer_closed_both(struct usher_session *session)
{
    if (closing_peer_stops(&session->closing, true))
        answer_close(session);
    peer_finished(session);
}

static bool has_closed(const struct usher_engine *engine, uint16_t id)
{
    const struct usher_session *session = ids_find(&engine->ids, id);
    return session && session->closing.own == CLOSING_SENT;
}

void receive_close(struct usher_engine *engine, uint16_t id, enum usher_direction direction)
{
    struct usher_session *session = session_find(engine, id);
    if (!session) {
        if (direction != USHER_WRITE && has_closed(engine, id))
            forget_rst(engine, id);
        return;
    }
    if (opening_is_unanswered(&session->opening))
        cancelled(session);
    else if (direction == USHER_WRITE)
        peer_stopped(session);
    else if (!closing_may_receive(&session->closing))
        engine_glitch(engine); // it had ended its data before
    else if (direction == USHER_BOTH)
        peer_closed_both(session);
    else
        peer_finished(session);
}

void receive_rst(struct usher_engine *engine, uint16_t id, const char *reason)
{
    struct usher_session *session = session_find(engine, id);
    const char *text;
    if (!session) {
        forget_rst(engine, id);
        return;
    }
    engine->counters.sessions_reset++;
    if (opening_is_unanswered(&session->opening)) {
        cancelled(session);
        return;
    }
    enum usher_word word = usher_reason_parse(reason, &text);
    session_end(session, USHER_ENDED_RESET, word, text);
    session_release(session);
}
