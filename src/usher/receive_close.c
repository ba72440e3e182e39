// SPDX-License-Identifier: GPL-2.0-or-later
// How sessions end by the peer: UsherClose and UsherRST (doc/PROTOCOL.md sections 6 and 7).
#include "usher/engine_internal.h"
#include "usher/receive_internal.h"
#include "usher/session_internal.h"

// Our UsherRST waits to be pulled, but the peer holds the session as inactive by now and may use the id again: the
// UsherRST would hit the next session.
static void forget_rst(struct usher_engine *engine, uint16_t id)
{
    struct usher_session *session = ids_find(&engine->ids, id);
    if (session && session->outbox && session->outbox->last && session->outbox->type == RECORD_RST)
        session_release(session);
}

// The opener gave up before our answer has gone: it still gets exactly one.
static void cancelled(struct usher_session *session)
{
    struct usher_engine *engine = session->engine;
    session_end(session, USHER_ENDED_RESET, USHER_FAILED, "given up");
    session_put_refusal(session, "failed: given up");
    engine_glitch(engine);
}

// The peer takes no more of what we send, or will send no more itself, or both: is our own Close still to be sent?
static void answer_close(struct usher_session *session)
{
    session->flags |= SESSION_PEER_STOPPED;
    if ((session->flags & SESSION_STREAM) == 0)
        datagrams_clear(&session->engine->datagrams, &session->datagrams);
    session_put_close(session);
}

static void peer_finished(struct usher_session *session)
{
    bool over = session->state == SESSION_WRITE_ACTIVE;
    if (!over)
        session_set_state(session, SESSION_SESSION_ACTIVE);
    session_forget_ack(session);
    if (session->ops->finished)
        session->ops->finished(session->owner);
    if (!over)
        return;
    if (session->state != SESSION_INACTIVE) // it may have been reset in there, but the peer has no use for an UsherRST
        session_end(session, USHER_ENDED_CLOSED, USHER_FAILED, "");
    session_release(session);
}

static void peer_stopped(struct usher_session *session)
{
    bool told = (session->flags & SESSION_PEER_STOPPED) != 0;
    if (told)
        engine_glitch(session->engine);
    if (told || session->state == SESSION_WRITE_ACTIVE)
        return; // we have closed already: the two crossed
    answer_close(session);
    if (session->ops->stop_sending)
        session->ops->stop_sending(session->owner);
}

static void peer_closed_both(struct usher_session *session)
{
    if (session->state != SESSION_WRITE_ACTIVE && (session->flags & SESSION_PEER_STOPPED) == 0) {
        session->flags |= SESSION_CLOSE_BOTH;
        answer_close(session);
    }
    peer_finished(session);
}

static bool has_closed(const struct usher_engine *engine, uint16_t id)
{
    const struct usher_session *session = ids_find(&engine->ids, id);
    return session && (session->flags & SESSION_CLOSED) != 0;
}

void receive_close(struct usher_engine *engine, uint16_t id, enum usher_direction direction)
{
    struct usher_session *session = receive_find(engine, id);
    if (!session) {
        if (direction != USHER_WRITE && has_closed(engine, id))
            forget_rst(engine, id);
        return;
    }
    if (session_is_unanswered(session))
        cancelled(session);
    else if (direction == USHER_WRITE)
        peer_stopped(session);
    else if (session->state == SESSION_SESSION_ACTIVE)
        engine_glitch(engine); // it had ended its data before
    else if (direction == USHER_BOTH)
        peer_closed_both(session);
    else
        peer_finished(session);
}

void receive_rst(struct usher_engine *engine, uint16_t id, const char *reason)
{
    struct usher_session *session = receive_find(engine, id);
    const char *text;
    if (!session) {
        forget_rst(engine, id);
        return;
    }
    engine->counters.sessions_reset++;
    if (session_is_unanswered(session)) {
        cancelled(session);
        return;
    }
    enum usher_word word = usher_reason_parse(reason, &text);
    session_end(session, USHER_ENDED_RESET, word, text);
    session_release(session);
}
