// SPDX-License-Identifier: GPL-2.0-or-later
// One record after another until the room is full or nothing is left: what is due before data, always. UsherSend bodies
// are written by the edge itself, straight behind the hole for their header; datagrams are bytes already and are cut
// where the room ends, the rest going first next time.
#include "usher/transmit.h"

#include "usher/engine_state.h"
#include "usher/session_due.h"
#include "usher/session_state.h"

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

static bool put_record(struct room *room, struct usher_session *session)
{
    const struct due *due = session->due;
    bool last = due->last;
    bool answer = due->type == RECORD_OPEN_REPLY && !last;
    if (writer_left(&room->w) < due->len)
        return false;
    writer_bytes(&room->w, due->record, due->len);
    due_done(&session->due, DUE_RECORD);
    if (answer)
        opening_answer(&session->opening);
    if (last)
        session_release(session);
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
        record_ack_encode(&room->w, session->opening.peer_id, size);
        credit_grant(&session->credit, size);
        owed -= size;
    }
    due_done(&session->due, DUE_ACK);
    return true;
}

static bool put_close(struct room *room, struct usher_session *session)
{
    if (writer_left(&room->w) < USHER_HEADER_SIZE + sizeof(int16_t))
        return false;
    record_close_encode(&room->w, session->opening.peer_id, closing_direction(&session->closing));
    due_done(&session->due, DUE_CLOSE);
    closing_sent(&session->closing);
    enum session_state next = closing_after_ours(&session->closing);
    if (next != SESSION_INACTIVE) {
        session_set_state(session, next);
        return true;
    }
    session_end(session, USHER_ENDED_CLOSED, USHER_FAILED, "");
    session_release(session);
    return true;
}

// One of the records that are due for a session. False when the room is too small for it.
static bool put_due(struct room *room, struct usher_session *session)
{
    switch (due_first(session->due)) {
    case DUE_RECORD:
        return put_record(room, session);
    case DUE_ACK:
        return put_ack(room, session);
    case DUE_CLOSE:
        break;
    }
    return put_close(room, session);
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
    struct datagram_entry *entry = datagrams_pop(&engine->datagrams, &session->association.queue);
    if (entry) { // else all of them were dropped
        engine->counters.datagrams_sent++;
        engine->counters.payload_sent += datagram_entry_payload(entry);
        session->association.sent += datagram_entry_payload(entry);
        engine->carry = entry;
        engine->carry_at = 0;
        place_charge(&session->place, &engine->scheduler, entry->len, engine->now);
    }
    if (list_is_empty(&session->association.queue)) {
        place_leave(&session->place);
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
    if (!session->opening.aside) {
        engine->counters.data_sent += len;
        engine->counters.payload_sent += len;
    }
    credit_spend(&session->credit, (uint32_t)len);
    place_charge(&session->place, &engine->scheduler, (uint32_t)(USHER_HEADER_SIZE + len), engine->now);
    session_update_turn(session);
}

static bool stream_turn(struct room *room, struct usher_session *session)
{
    size_t size = send_size(room, session);
    session->engine->filling = session;
    size_t len = session->ops->fill(session->owner, room->w.at + USHER_HEADER_SIZE, size);
    session->engine->filling = NULL;
    assert(len <= size);
    if (!closing_may_send(&session->closing))
        return true; // it was reset from within
    if (len == 0) {
        session->ready = false;
        place_leave(&session->place);
        session_drained(session);
        return true;
    }
    record_send_header_encode(&room->w, session->opening.peer_id, len);
    room->w.at += len;
    sent(session, len);
    if (!session->ready)
        session_drained(session); // these were the last
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
    return session->opening.stream ? stream_turn(room, session) : datagram_turn(room, session);
}

// Whether the control session has something that was to go before an open.
static bool is_control_first(struct usher_engine *engine)
{
    engine->control_first &= engine->control && place_is_taken(&engine->control->place);
    return engine->control_first;
}

// The next record. False when there is none, or none that fits.
static bool put_next(struct room *room, struct usher_engine *engine)
{
    if (is_control_first(engine))
        return put_data(room, engine->control);
    if (!list_is_empty(&engine->due))
        return put_due(room, container_of(engine->due.next, struct due, link)->session);
    struct place *place = scheduler_next(&engine->scheduler);
    return place && put_data(room, container_of(place, struct usher_session, place));
}

// Last of all, in a room of its own when this one is too full: the next pull comes, for there is still work.
static void put_end(struct room *room, struct usher_engine *engine)
{
    if (engine->end_sent || writer_left(&room->w) < USHER_PULL_MIN)
        return;
    record_end_encode(&room->w, engine->reason);
    engine->end_sent = true;
}

static void put_confirmation(struct room *room, struct usher_engine *engine)
{
    struct confirming *confirming = &engine->confirming;
    uint16_t size;
    while ((size = confirming_size(confirming)) > 0 && writer_left(&room->w) >= USHER_HEADER_SIZE + sizeof size) {
        record_ack_encode(&room->w, 0, size);
        confirming_sent(confirming, size);
    }
}

// A beat is for a side that has nothing else to say, and confirms what there is.
static void put_beat(struct room *room, struct usher_engine *engine)
{
    if (!engine->heartbeat.due || written(room) > 0)
        return;
    put_confirmation(room, engine);
    if (written(room) == 0)
        record_ack_encode(&room->w, 0, 0);
}

// With what goes anyway.
static void put_along(struct room *room, struct usher_engine *engine)
{
    if (written(room) > 0 && confirming_goes_along(&engine->confirming, engine->now))
        put_confirmation(room, engine);
}

size_t transmit_pull(struct usher_engine *engine, uint8_t *bytes, size_t size)
{
    struct room room = {.w = writer_over(bytes, size), .start = bytes};
    if (engine->status == USHER_ENDED || (engine->carry && !put_carry(&room, engine)))
        return written(&room);
    if (engine->status == USHER_RUNNING && engine->confirming.due)
        put_confirmation(&room, engine);
    while (engine->status == USHER_RUNNING && put_next(&room, engine))
        continue;
    if (engine->status == USHER_RUNNING) {
        if (!engine->carry)
            put_along(&room, engine);
        put_beat(&room, engine);
    } else if (engine->status == USHER_ENDING) {
        put_end(&room, engine);
    }
    return written(&room);
}

size_t transmit_pull_confirmation(struct usher_engine *engine, uint8_t *bytes, size_t size)
{
    struct room room = {.w = writer_over(bytes, size), .start = bytes};
    if (engine->status != USHER_RUNNING || (engine->carry && !put_carry(&room, engine)))
        return written(&room);
    put_confirmation(&room, engine);
    return written(&room);
}
