// SPDX-License-Identifier: GPL-2.0-or-later
// One record after another until the room is full or nothing is left: what is due before data, always. UsherSend bodies
// are written by the edge itself, straight behind the hole for their header; datagrams are bytes already and are cut
// where the room ends, the rest going first next time.
#include "usher/transmit.h"

#include "usher/engine_internal.h"
#include "usher/session_internal.h"

#include <assert.h>
#include <stdlib.h>

struct room {
    struct writer w;
    const uint8_t *start;
};

static size_t written(const struct room *room)
{
    return (size_t)(room->w.at - room->start);
}

// Control records

static void after_record(struct usher_session *session, int16_t type, bool last)
{
    if (type == RECORD_OPEN_REPLY && !last)
        session->flags |= SESSION_ANSWERED;
    if (last)
        session_release(session);
}

static bool put_outbox(struct room *room, struct usher_session *session)
{
    struct session_outbox *outbox = session->outbox;
    if (writer_left(&room->w) < outbox->len)
        return false;
    writer_bytes(&room->w, outbox->record, outbox->len);
    session->outbox = NULL;
    session->due &= (uint8_t)~SESSION_DUE_RECORD;
    after_record(session, outbox->type, outbox->last);
    free(outbox);
    return true;
}

// SIZE has 16 bits: a large grant takes several records, as many as the room holds.
static bool put_ack(struct room *room, struct usher_session *session)
{
    uint64_t owed = credit_owed(&session->credit);
    while (owed > 0) {
        uint16_t size = owed < UINT16_MAX ? (uint16_t)owed : UINT16_MAX;
        if (writer_left(&room->w) < USHER_HEADER_SIZE + sizeof size)
            return false;
        record_ack_encode(&room->w, session->peer_id, size);
        credit_grant(&session->credit, size);
        owed -= size;
    }
    session->due &= (uint8_t)~SESSION_DUE_ACK;
    return true;
}

static bool put_close(struct room *room, struct usher_session *session)
{
    bool both = (session->flags & SESSION_CLOSE_BOTH) != 0;
    if (writer_left(&room->w) < USHER_HEADER_SIZE + sizeof(int16_t))
        return false;
    record_close_encode(&room->w, session->peer_id, both ? USHER_BOTH : USHER_READ);
    session->due &= (uint8_t)~SESSION_DUE_CLOSE;
    session->flags |= SESSION_CLOSED;
    if (both)
        session->flags |= SESSION_DISCARDING;
    if (session->state == SESSION_ACTIVE) {
        session_set_state(session, SESSION_WRITE_ACTIVE);
        return true;
    }
    session_end(session, USHER_ENDED_CLOSED, USHER_FAILED, "");
    session_release(session);
    return true;
}

// One of the records that are due for a session. False when the room is too small for it.
static bool put_due(struct room *room, struct usher_session *session)
{
    bool done;
    if ((session->due & SESSION_DUE_RECORD) != 0)
        done = put_outbox(room, session);
    else if ((session->due & SESSION_DUE_ACK) != 0)
        done = put_ack(room, session);
    else
        done = put_close(room, session);
    if (done && session->due == 0 && session->state != SESSION_INACTIVE)
        list_remove(&session->control);
    return done;
}

// Data

static bool put_carry(struct room *room, struct usher_engine *engine)
{
    struct datagram_entry *entry = engine->carry;
    size_t left = entry->len - engine->carry_at;
    size_t len = left < writer_left(&room->w) ? left : writer_left(&room->w);
    writer_bytes(&room->w, entry->record + engine->carry_at, len);
    engine->carry_at += (uint32_t)len;
    if (len < left)
        return false;
    free(entry);
    engine->carry = NULL;
    return true;
}

static bool datagram_turn(struct room *room, struct usher_session *session)
{
    struct usher_engine *engine = session->engine;
    struct datagram_entry *entry = datagrams_pop(&engine->datagrams, &session->datagrams);
    if (entry) { // else all of them were dropped
        engine->counters.datagrams_sent++;
        engine->carry = entry;
        engine->carry_at = 0;
        scheduler_charge(&engine->scheduler, session, entry->len, engine->now);
    }
    if (list_is_empty(&session->datagrams)) {
        scheduler_remove(session);
        session_drained(session);
    }
    return !entry || put_carry(room, engine);
}

static size_t send_size(const struct room *room, const struct usher_session *session)
{
    uint64_t size = writer_left(&room->w) - USHER_HEADER_SIZE;
    if (size > USHER_SEND_MAX)
        size = USHER_SEND_MAX;
    if (size > credit_room(&session->credit))
        size = credit_room(&session->credit);
    return (size_t)size;
}

static void sent(struct usher_session *session, size_t len)
{
    struct usher_engine *engine = session->engine;
    engine->counters.data_sent += len;
    credit_spend(&session->credit, (uint32_t)len);
    scheduler_charge(&engine->scheduler, session, (uint32_t)(USHER_HEADER_SIZE + len), engine->now);
    scheduler_update(&engine->scheduler, session, engine->now);
}

static bool stream_turn(struct room *room, struct usher_session *session)
{
    size_t size = send_size(room, session);
    size_t len = session->ops->fill(session->owner, room->w.at + USHER_HEADER_SIZE, size);
    assert(len <= size);
    if (!session_may_send(session))
        return true; // it was reset from within
    if (len == 0) {
        session->flags &= (uint16_t)~SESSION_READY;
        scheduler_remove(session);
        session_drained(session);
        return true;
    }
    record_send_header_encode(&room->w, session->peer_id, len);
    room->w.at += len;
    sent(session, len);
    return true;
}

// A rest of the room that is only a crumb stays empty: a bulk flow cut into crumbs costs more than it gives.
static bool is_worth_a_turn(const struct room *room)
{
    size_t left = writer_left(&room->w);
    return left > USHER_HEADER_SIZE && (written(room) == 0 || left >= TRANSMIT_CRUMB);
}

static bool put_data(struct room *room, struct usher_session *session)
{
    if (!is_worth_a_turn(room))
        return false;
    return (session->flags & SESSION_STREAM) != 0 ? stream_turn(room, session) : datagram_turn(room, session);
}

// The next record. False when there is none, or none that fits.
static bool put_next(struct room *room, struct usher_engine *engine)
{
    struct usher_session *session = scheduler_next_control(&engine->scheduler);
    if (session)
        return put_due(room, session);
    session = scheduler_next(&engine->scheduler);
    return session && put_data(room, session);
}

// Last of all, in a room of its own when this one is too full: the next pull comes, for there is still work.
static void put_end(struct room *room, struct usher_engine *engine)
{
    if (engine->end_sent || writer_left(&room->w) < USHER_PULL_MIN)
        return;
    record_end_encode(&room->w, engine->reason);
    engine->end_sent = true;
}

// A beat is for a side that has nothing else to say.
static void put_beat(struct room *room, struct usher_engine *engine)
{
    if (engine->heartbeat.due && written(room) == 0)
        record_ack_encode(&room->w, 0, 0);
}

size_t transmit_pull(struct usher_engine *engine, uint8_t *bytes, size_t size)
{
    struct room room = {.w = writer_over(bytes, size), .start = bytes};
    if (engine->status == USHER_ENDED || (engine->carry && !put_carry(&room, engine)))
        return written(&room);
    while (engine->status == USHER_RUNNING && put_next(&room, engine))
        continue;
    if (engine->status == USHER_RUNNING)
        put_beat(&room, engine);
    else if (engine->status == USHER_ENDING)
        put_end(&room, engine);
    return written(&room);
}
