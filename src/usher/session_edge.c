// SPDX-License-Identifier: GPL-2.0-or-later
// The face of usher/session.h: what the edges may do with a session. Nothing here calls back into the edge.
#include "usher/session_internal.h"

#include "usher/engine_internal.h"

#include <assert.h>

struct usher_session *usher_session_open(struct usher_engine *engine, const struct usher_open *open,
                                         const struct usher_session_ops *ops, void *owner)
{
    uint8_t bytes[SESSION_RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    if (engine->status != USHER_RUNNING || engine->sessions >= engine->config.max_sessions)
        return NULL;
    struct usher_session *session = session_new(engine, open, SESSION_ATTACHED, 0);
    if (!session)
        return NULL;
    session->ops = ops;
    session->owner = owner;
    record_open_encode(&w, session->id, open);
    session_put_record(session, RECORD_OPEN, false, &w, bytes);
    engine->counters.sessions_opened++;
    return session;
}

void usher_session_attach(struct usher_session *session, const struct usher_session_ops *ops, void *owner)
{
    assert(session->state == SESSION_PENDING && (session->flags & SESSION_INCOMING) != 0);
    session->ops = ops;
    session->owner = owner;
    session->flags |= SESSION_ATTACHED;
}

void usher_session_accept(struct usher_session *session)
{
    uint8_t bytes[SESSION_RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    assert(session->state == SESSION_PENDING && (session->flags & SESSION_INCOMING) != 0);
    session->engine->counters.sessions_accepted++;
    record_open_reply_encode(&w, session->peer_id, session->id, "");
    session_put_record(session, RECORD_OPEN_REPLY, false, &w, bytes);
    session_set_state(session, SESSION_ACTIVE);
    if ((session->flags & SESSION_FINISHING) != 0)
        usher_session_finish(session); // it was finished before it was accepted
}

void usher_session_refuse(struct usher_session *session, enum usher_word word, const char *text)
{
    char reason[USHER_REASON_MAX + 1];
    assert(session->state == SESSION_PENDING && (session->flags & SESSION_INCOMING) != 0);
    session->flags &= (uint16_t)~SESSION_ATTACHED;
    session->engine->counters.sessions_refused++;
    session_set_state(session, SESSION_INACTIVE);
    session_put_refusal(session, usher_reason_write(reason, sizeof reason, word, text));
}

void usher_session_ready(struct usher_session *session)
{
    struct usher_engine *engine = session->engine;
    session->flags |= SESSION_READY;
    if (list_is_linked(&session->ready) || !session_wants_turn(session))
        return;
    scheduler_update(&engine->scheduler, session, engine->now);
    engine_wake(engine);
}

void usher_session_consumed(struct usher_session *session, size_t len)
{
    if ((session->flags & SESSION_STREAM) != 0 && session->state != SESSION_INACTIVE)
        session_consume(session, len);
}

bool usher_session_datagram(struct usher_session *session, const struct usher_datagram *datagram)
{
    struct usher_engine *engine = session->engine;
    if ((session->flags & (SESSION_STREAM | SESSION_FINISHING)) != 0 || !session_may_send(session) ||
        datagram->len > USHER_DATAGRAM_MAX)
        return false;
    struct usher_datagram out = session_dress(session, datagram);
    engine->counters.datagrams_dropped +=
        datagrams_push(&engine->datagrams, &session->datagrams, session->peer_id, &out);
    scheduler_update(&engine->scheduler, session, engine->now);
    engine_wake(engine);
    return true;
}

void usher_session_finish(struct usher_session *session)
{
    session->flags |= SESSION_FINISHING;
    if ((session->flags & SESSION_STREAM) != 0)
        usher_session_ready(session); // asked once more, and the Close follows the 0
    else if (list_is_empty(&session->datagrams))
        session_drained(session);
}

void usher_session_close(struct usher_session *session)
{
    session->flags |= SESSION_CLOSE_BOTH;
    usher_session_finish(session);
}

// Gives up an open that waits for its answer. A peer of our own kind knows its session by our id already and is told at
// once; any other may have that id for something else, and hears of it when it has answered.
static void abandon(struct usher_session *session, const char *reason)
{
    uint8_t bytes[SESSION_RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    if (session->outbox) { // the UsherOpen has not gone
        session_release(session);
        return;
    }
    session->flags |= SESSION_ABANDONED;
    if (!session->engine->config.extended)
        return;
    record_rst_encode(&w, session->id, reason);
    session_put_record(session, RECORD_RST, false, &w, bytes);
}

void usher_session_reset(struct usher_session *session, enum usher_word word, const char *text)
{
    char reason[USHER_REASON_MAX + 1];
    if (session->state == SESSION_INACTIVE)
        return; // from within `ended`
    assert((session->flags & SESSION_ATTACHED) != 0);
    usher_reason_write(reason, sizeof reason, word, text);
    session->flags &= (uint16_t)~SESSION_ATTACHED;
    if (session->state == SESSION_PENDING && (session->flags & SESSION_INCOMING) == 0) {
        abandon(session, reason);
        return;
    }
    session_set_state(session, SESSION_INACTIVE);
    session_put_rst(session, reason);
}

uint64_t usher_session_sent(const struct usher_session *session)
{
    return (session->flags & SESSION_STREAM) != 0 ? session->credit.sent : 0;
}

uint64_t usher_session_received(const struct usher_session *session)
{
    return (session->flags & SESSION_STREAM) != 0 ? session->credit.received : 0;
}

uint64_t usher_session_send_room(const struct usher_session *session)
{
    return (session->flags & SESSION_STREAM) != 0 ? credit_room(&session->credit) : 0;
}

const char *usher_session_state(const struct usher_session *session)
{
    static const char *const texts[] = {
        [SESSION_PENDING] = "pending",
        [SESSION_ACTIVE] = "active",
        [SESSION_SESSION_ACTIVE] = "session active",
        [SESSION_WRITE_ACTIVE] = "write active",
        [SESSION_INACTIVE] = "inactive",
    };
    static_assert(sizeof texts / sizeof texts[0] == SESSION_STATES, "every state has a text");

    return texts[session->state];
}
