// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a session: its states, its end, and the records about it that wait to be pulled. The edge's calls are in
// session_edge.c.
#include "usher/session_internal.h"

#include "base/memory.h"
#include "usher/engine_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct usher_session) <= 136, "ten thousand held sessions stay small");

// Bit n: the step to state n is legal.
static const uint8_t steps[SESSION_STATES] = {
    [SESSION_PENDING] = 1 << SESSION_ACTIVE | 1 << SESSION_INACTIVE,
    [SESSION_ACTIVE] = 1 << SESSION_SESSION_ACTIVE | 1 << SESSION_WRITE_ACTIVE | 1 << SESSION_INACTIVE,
    [SESSION_SESSION_ACTIVE] = 1 << SESSION_INACTIVE,
    [SESSION_WRITE_ACTIVE] = 1 << SESSION_INACTIVE,
};

static uint16_t kind_flags(const struct usher_open *open)
{
    uint16_t flags = 0;
    if (open->protocol == USHER_TCP)
        flags |= SESSION_STREAM;
    if (open->protocol == USHER_ICMP || open->protocol == USHER_ICMPV6)
        flags |= SESSION_ECHO;
    if (open->by_name || open->addr.version != 4)
        flags |= SESSION_BY_NAME;
    return flags;
}

static bool take_id(struct usher_session *session, uint16_t proposed)
{
    struct ids *ids = &session->engine->ids;
    session->id = ids_adopt(ids, proposed, session) ? proposed : ids_allocate(ids, session);
    return session->id != 0;
}

static void count(struct usher_session *session, int by)
{
    struct usher_engine *engine = session->engine;
    uint32_t *which = (session->flags & SESSION_REFUSED) != 0 ? &engine->refusals : &engine->sessions;
    *which += (uint32_t)by;
}

struct usher_session *session_new(struct usher_engine *engine, const struct usher_open *open, uint16_t flags,
                                  uint16_t proposed)
{
    struct usher_session *session = memory_new(sizeof *session);
    session->engine = engine;
    if (!take_id(session, proposed)) {
        free(session);
        return NULL;
    }
    session->flags = (uint16_t)(flags | kind_flags(open));
    session->burst_ms = (uint16_t)(engine->now / USEC_PER_MSEC);
    list_init(&session->control);
    list_init(&session->ready);
    if ((session->flags & SESSION_STREAM) != 0)
        credit_init(&session->credit, engine->now);
    else
        list_init(&session->datagrams);
    if ((flags & SESSION_INCOMING) != 0)
        engine->unanswered++;
    count(session, 1);
    return session;
}

// Everything queued is thrown away, and no byte that still comes has a place to go.
static void discard(struct usher_session *session)
{
    struct usher_engine *engine = session->engine;
    scheduler_remove(session);
    intake_forget(&engine->intake, session);
    if ((session->flags & SESSION_STREAM) != 0)
        credit_fini(&session->credit, &engine->budget);
    else
        datagrams_clear(&engine->datagrams, &session->datagrams);
}

static void drop_due(struct usher_session *session)
{
    list_remove(&session->control);
    free(session->outbox);
    session->outbox = NULL;
    session->due = 0;
}

void session_set_state(struct usher_session *session, enum session_state state)
{
    assert((steps[session->state] >> state & 1) != 0);
    if (session->state == SESSION_PENDING && (session->flags & SESSION_INCOMING) != 0)
        session->engine->unanswered--;
    session->state = (uint8_t)state;
    if (state == SESSION_INACTIVE) {
        discard(session);
        drop_due(session);
    } else {
        scheduler_update(&session->engine->scheduler, session, session->engine->now);
        if (session_wants_turn(session))
            engine_wake(session->engine);
    }
}

void session_end(struct usher_session *session, enum usher_ending ending, enum usher_word word, const char *text)
{
    bool attached = (session->flags & SESSION_ATTACHED) != 0;
    session->flags &= (uint16_t)~SESSION_ATTACHED;
    session_set_state(session, SESSION_INACTIVE);
    if (attached && session->ops->ended)
        session->ops->ended(session->owner, ending, word, text);
}

void session_release(struct usher_session *session)
{
    struct usher_engine *engine = session->engine;
    assert((session->flags & SESSION_ATTACHED) == 0);
    if (session->state != SESSION_INACTIVE)
        session_set_state(session, SESSION_INACTIVE);
    drop_due(session);
    ids_release(&engine->ids, session->id);
    if ((session->flags & SESSION_BOUND) != 0)
        ids_unbind(&engine->ids, session->peer_id);
    count(session, -1);
    list_push_back(&engine->dead, &session->control);
}

void session_free(struct usher_session *session)
{
    free(session);
}

bool session_is_unanswered(const struct usher_session *session)
{
    return (session->flags & SESSION_INCOMING) != 0 && (session->flags & SESSION_ANSWERED) == 0;
}

bool session_may_send(const struct usher_session *session)
{
    if ((session->flags & SESSION_PEER_STOPPED) != 0 || (session->due & SESSION_DUE_CLOSE) != 0)
        return false;
    return session->state == SESSION_ACTIVE || session->state == SESSION_SESSION_ACTIVE;
}

bool session_wants_turn(const struct usher_session *session)
{
    if (!session_may_send(session))
        return false;
    if ((session->flags & SESSION_STREAM) == 0)
        return !list_is_empty(&session->datagrams);
    if ((session->flags & SESSION_FINISHING) != 0)
        return (session->flags & SESSION_READY) != 0 && credit_room(&session->credit) > 0;
    return (session->flags & SESSION_READY) != 0 && credit_is_usable(&session->credit);
}

static void make_due(struct usher_session *session, enum session_due due)
{
    session->due |= (uint8_t)due;
    scheduler_add_control(&session->engine->scheduler, session);
    engine_wake(session->engine);
}

void session_put_record(struct usher_session *session, enum record_type type, bool last, const struct writer *w,
                        const uint8_t *bytes)
{
    size_t len = (size_t)(w->at - bytes);
    assert(!w->failed && len <= SESSION_RECORD_MAX);
    free(session->outbox);
    session->outbox = memory_new(sizeof *session->outbox + len);
    session->outbox->type = (int16_t)type;
    session->outbox->last = last;
    session->outbox->len = (uint16_t)len;
    memcpy(session->outbox->record, bytes, len);
    make_due(session, SESSION_DUE_RECORD);
}

void session_put_rst(struct usher_session *session, const char *reason)
{
    uint8_t bytes[SESSION_RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    session->engine->counters.sessions_reset++;
    if (session_is_unanswered(session)) {
        session_put_refusal(session, reason);
        return;
    }
    record_rst_encode(&w, session->peer_id, reason);
    session_put_record(session, RECORD_RST, true, &w, bytes);
}

void session_put_refusal(struct usher_session *session, const char *reason)
{
    uint8_t bytes[SESSION_RECORD_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    assert(session->state == SESSION_INACTIVE && session_is_unanswered(session));
    record_open_reply_encode(&w, session->peer_id, USHER_ID_NONE, reason);
    session_put_record(session, RECORD_OPEN_REPLY, true, &w, bytes);
}

void session_put_close(struct usher_session *session)
{
    make_due(session, SESSION_DUE_CLOSE);
    scheduler_remove(session);
}

void session_put_ack_if_due(struct usher_session *session)
{
    bool peer_sends = session->state == SESSION_ACTIVE || session->state == SESSION_WRITE_ACTIVE;
    if (peer_sends && credit_is_due(&session->credit))
        make_due(session, SESSION_DUE_ACK);
}

void session_forget_ack(struct usher_session *session)
{
    session->due &= (uint8_t)~SESSION_DUE_ACK;
    if (session->due == 0)
        list_remove(&session->control);
}

void session_drained(struct usher_session *session)
{
    if ((session->flags & SESSION_FINISHING) != 0 && session_may_send(session))
        session_put_close(session);
}

void session_abort(struct usher_session *session, enum usher_word word, const char *why)
{
    char reason[USHER_REASON_MAX + 1];
    session_end(session, USHER_ENDED_RESET, word, why);
    session_put_rst(session, usher_reason_write(reason, sizeof reason, word, why));
}

void session_violate(struct usher_session *session, const char *what)
{
    struct usher_engine *engine = session->engine;
    session_abort(session, USHER_FAILED, what);
    engine_glitch(engine);
}

// An association by name has one far end, which needs no address; an echo keeps its identifier and sequence number.
struct usher_datagram session_dress(const struct usher_session *session, const struct usher_datagram *datagram)
{
    struct usher_datagram out = *datagram;
    if ((session->flags & SESSION_BY_NAME) == 0)
        return out;
    out.from.addr = out.to.addr = (struct address){0};
    if ((session->flags & SESSION_ECHO) == 0)
        out.from.port = out.to.port = 0;
    return out;
}

void session_consume(struct usher_session *session, uint64_t len)
{
    credit_consume(&session->credit, &session->engine->budget, len, session->engine->now);
    session_put_ack_if_due(session);
}
