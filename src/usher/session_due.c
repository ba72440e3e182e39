// SPDX-License-Identifier: GPL-2.0-or-later
// Encodes, queues, and wakes the engine.
#include "usher/session_due.h"

#include "usher/engine_state.h"
#include "usher/session_state.h"

#include <assert.h>

// The longest of them: UsherOpen with a name, or UsherRST with a reason, of 255 bytes.
enum { RECORD_MAX = USHER_HEADER_SIZE + 3 * 2 + USHER_HOST_MAX + 1 };

static void put(struct usher_session *session, enum due_what what)
{
    due_add(&session->due, &session->engine->due, session, what);
    engine_wake(session->engine);
}

static void put_record(struct usher_session *session, enum record_type type, const struct writer *w,
                       const uint8_t *bytes)
{
    due_add_record(&session->due, &session->engine->due, session, type, w, bytes);
    session->due->last = session->closing.state == SESSION_INACTIVE;
    engine_wake(session->engine);
}

void session_put_open(struct usher_session *session, const struct usher_open *open)
{
    uint8_t bytes[RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    record_open_encode(&w, session->opening.id, open);
    put_record(session, RECORD_OPEN, &w, bytes);
}

void session_put_answer(struct usher_session *session)
{
    uint8_t bytes[RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    record_open_reply_encode(&w, session->opening.peer_id, session->opening.id, "");
    put_record(session, RECORD_OPEN_REPLY, &w, bytes);
}

static void put_rst(struct usher_session *session, uint16_t id, const char *reason)
{
    uint8_t bytes[RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    record_rst_encode(&w, id, reason);
    put_record(session, RECORD_RST, &w, bytes);
}

void session_put_early_rst(struct usher_session *session, const char *reason)
{
    assert(session->opening.abandoned);
    put_rst(session, session->opening.id, reason);
}

void session_put_rst(struct usher_session *session, const char *reason)
{
    assert(session->closing.state == SESSION_INACTIVE);
    session->engine->counters.sessions_reset++;
    if (opening_is_unanswered(&session->opening))
        session_put_refusal(session, reason);
    else
        put_rst(session, session->opening.peer_id, reason);
}

void session_put_refusal(struct usher_session *session, const char *reason)
{
    uint8_t bytes[RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    assert(session->closing.state == SESSION_INACTIVE && opening_is_unanswered(&session->opening));
    record_open_reply_encode(&w, session->opening.peer_id, USHER_ID_NONE, reason);
    put_record(session, RECORD_OPEN_REPLY, &w, bytes);
}

void session_put_close(struct usher_session *session)
{
    closing_make_due(&session->closing);
    put(session, DUE_CLOSE);
    place_leave(&session->place);
}

void session_put_ack_if_due(struct usher_session *session)
{
    if (closing_may_receive(&session->closing) && credit_is_due(&session->credit))
        put(session, DUE_ACK);
}

void session_drained(struct usher_session *session)
{
    if (closing_is_finishing(&session->closing) && closing_may_send(&session->closing))
        session_put_close(session);
}

void session_abort(struct usher_session *session, enum usher_word word, const char *why)
{
    char reason[USHER_REASON_MAX + 1];
    session_account_for(session,
                        &(struct usher_over){.ending = USHER_ENDED_RESET, .by_us = true, .word = word, .text = why});
    session_end(session, USHER_ENDED_RESET, word, why);
    session_put_rst(session, usher_reason_write(reason, sizeof reason, word, why));
}

void session_violate(struct usher_session *session, const char *what)
{
    struct usher_engine *engine = session->engine;
    session_abort(session, USHER_FAILED, what);
    engine_glitch(engine);
}

void session_consume(struct usher_session *session, uint64_t len)
{
    credit_consume(&session->credit, &session->engine->budget, len, session->engine->now);
    session_put_ack_if_due(session);
}
