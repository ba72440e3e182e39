// SPDX-License-Identifier: GPL-2.0-or-later
// What the edges may do with a session. Nothing here calls back into the edge.
#include "usher/session.h"

#include "usher/engine_state.h"
#include "usher/session_due.h"
#include "usher/session_state.h"

#include <assert.h>

// What we do ourselves.
static void account_for(const struct usher_session *session, enum usher_ending ending, enum usher_word word,
                        const char *text)
{
    session_account_for(session, &(struct usher_over){.ending = ending, .by_us = true, .word = word, .text = text});
}

static bool waits_for_us(const struct usher_session *session)
{
    return session->closing.state == SESSION_PENDING && session->opening.incoming;
}

static bool has_room(const struct usher_engine *engine, uint16_t protocol)
{
    return protocol == USHER_CONTROL ? !engine->control : engine->sessions < engine->config.max_sessions;
}

struct usher_session *usher_session_open(struct usher_engine *engine, const struct usher_open *open,
                                         const struct usher_session_ops *ops, void *owner)
{
    struct opening opening;
    if (engine->status != USHER_RUNNING || !has_room(engine, open->protocol))
        return NULL;
    opening_init_ours(&opening, open->protocol);
    struct usher_session *session = session_new(engine, open, &opening, 0);
    if (!session)
        return NULL;
    session->ops = ops;
    session->owner = owner;
    session_put_open(session, open);
    engine->counters.sessions_opened += !opening.aside;
    return session;
}

void usher_session_attach(struct usher_session *session, const struct usher_session_ops *ops, void *owner)
{
    assert(waits_for_us(session));
    opening_attach(&session->opening);
    session->ops = ops;
    session->owner = owner;
}

void usher_session_accept(struct usher_session *session)
{
    assert(waits_for_us(session));
    session->engine->counters.sessions_accepted += !session->opening.aside;
    session_put_answer(session);
    session_set_state(session, SESSION_ACTIVE);
    if (closing_is_finishing(&session->closing))
        usher_session_finish(session); // it was finished before it was accepted
}

void usher_session_refuse(struct usher_session *session, enum usher_word word, const char *text)
{
    char reason[USHER_REASON_MAX + 1];
    assert(waits_for_us(session));
    opening_detach(&session->opening);
    account_for(session, USHER_ENDED_REFUSED, word, text);
    session->engine->counters.sessions_refused += !session->opening.aside;
    session_set_state(session, SESSION_INACTIVE);
    session_put_refusal(session, usher_reason_write(reason, sizeof reason, word, text));
}

void usher_session_ready(struct usher_session *session)
{
    session->ready = true;
    if (!place_is_taken(&session->place))
        session_seek_turn(session);
}

void usher_session_consumed(struct usher_session *session, size_t len)
{
    if (session->opening.stream && session->closing.state != SESSION_INACTIVE)
        session_consume(session, len);
}

static bool takes_datagrams(const struct usher_session *session)
{
    return !session->opening.stream && closing_may_send(&session->closing) && !closing_is_finishing(&session->closing);
}

bool usher_session_datagram(struct usher_session *session, const struct usher_datagram *datagram)
{
    struct usher_engine *engine = session->engine;
    struct association *association = &session->association;
    if (!takes_datagrams(session) || datagram->len > USHER_DATAGRAM_MAX)
        return false;
    struct usher_datagram out = association_dress(association, datagram);
    engine->counters.datagrams_dropped +=
        datagrams_push(&engine->datagrams, &association->queue, session->opening.peer_id, &out);
    session_seek_turn(session);
    return true;
}

bool usher_session_unreachable(struct usher_session *session, const struct usher_unreachable *what)
{
    const struct usher_session *control = session->engine->control;
    if (!control || control->closing.state != SESSION_ACTIVE || !control->ops->tell)
        return false;
    return control->ops->tell(control->owner, session->opening.peer_id, what);
}

void usher_session_heard(struct usher_session *control, uint16_t id, const struct usher_unreachable *what)
{
    struct usher_session *session = session_find(control->engine, id);
    if (!session || session->opening.stream || !session->opening.attached || !closing_may_receive(&session->closing))
        return;
    if (session->ops->unreachable)
        session->ops->unreachable(session->owner, what);
    else
        session_abort(session, what->word, what->text);
}

void usher_session_say_origin(struct usher_session *session, const struct endpoint *who)
{
    struct usher_engine *engine = session->engine;
    const struct usher_session *control = engine->control;
    if (control && control->closing.state == SESSION_ACTIVE && control->ops->say_origin &&
        due_has_record(session->due, RECORD_OPEN) && control->ops->say_origin(control->owner, session->opening.id, who))
        engine->control_first = true;
}

void usher_session_origin_came(struct usher_session *control, uint16_t id, const struct endpoint *who)
{
    struct usher_engine *engine = control->engine;
    if (!ids_is_bound(&engine->ids, id))
        origins_put(&engine->origins, id, who, engine->config.max_sessions + ENGINE_ORIGINS_EARLY);
}

bool usher_session_origin(const struct usher_session *session, struct endpoint *who)
{
    const struct endpoint *known =
        session->opening.incoming ? origins_find(&session->engine->origins, session->opening.peer_id) : NULL;
    if (known)
        *who = *known;
    return known;
}

static void finish(struct usher_session *session, bool both)
{
    closing_finish(&session->closing, both);
    if (session->opening.stream)
        usher_session_ready(session); // asked once more, and the Close follows the 0
    else if (list_is_empty(&session->association.queue))
        session_drained(session);
}

void usher_session_finish(struct usher_session *session)
{
    finish(session, false);
}

void usher_session_finish_empty(struct usher_session *session)
{
    closing_finish(&session->closing, false);
    session->ready = false;
    if (session->engine->filling != session)
        session_drained(session); // else behind what `fill` returns
}

void usher_session_close(struct usher_session *session)
{
    finish(session, true);
}

// Gives up an open that waits for its answer. A peer of our own kind knows its session by our id already and is told at
// once, unless that happens too often; any other may have that id for something else. Then it hears of it when it has
// answered.
static void abandon(struct usher_session *session, const char *reason)
{
    if (due_has_record(session->due, RECORD_OPEN)) {
        session_release(session);
        return;
    }
    opening_abandon(&session->opening);
    if (session->engine->config.extended && bucket_take(&session->engine->given_up, session->engine->now))
        session_put_early_rst(session, reason);
}

void usher_session_reset(struct usher_session *session, enum usher_word word, const char *text)
{
    char reason[USHER_REASON_MAX + 1];
    if (session->closing.state == SESSION_INACTIVE)
        return; // from within `ended`
    assert(session->opening.attached);
    opening_detach(&session->opening);
    account_for(session, USHER_ENDED_RESET, word, text);
    usher_reason_write(reason, sizeof reason, word, text);
    if (session->closing.state == SESSION_PENDING && !session->opening.incoming) {
        abandon(session, reason);
        return;
    }
    session_set_state(session, SESSION_INACTIVE);
    session_put_rst(session, reason);
}

void usher_session_glitch(struct usher_session *session)
{
    engine_glitch(session->engine);
}

void usher_session_protocol_error(struct usher_session *session, const char *what)
{
    engine_protocol_error(session->engine, what);
}

void usher_session_confirming(struct usher_session *session, bool agreed)
{
    struct usher_engine *engine = session->engine;
    if (agreed && !engine->confirming.agreed)
        confirming_agree(&engine->confirming, engine->now);
    if (engine->ops->confirming)
        engine->ops->confirming(engine->owner, agreed);
}

uint64_t usher_session_sent(const struct usher_session *session)
{
    return session->opening.stream ? session->credit.sent : session->association.sent;
}

uint64_t usher_session_received(const struct usher_session *session)
{
    return session->opening.stream ? session->credit.received : session->association.received;
}

uint64_t usher_session_send_room(const struct usher_session *session)
{
    return session->opening.stream ? credit_room(&session->credit) : 0;
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
    return texts[session->closing.state];
}
