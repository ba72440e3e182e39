// SPDX-License-Identifier: GPL-2.0-or-later
// Decoding and dispatch of every record, and what data, datagrams and credit do to a session.
#include "usher/receive.h"

#include "usher/engine_internal.h"
#include "usher/receive_internal.h"
#include "usher/session_internal.h"

static struct usher_session *stray(struct usher_engine *engine)
{
    engine->counters.strays++;
    return NULL;
}

struct usher_session *receive_find(struct usher_engine *engine, uint16_t id)
{
    struct usher_session *session = ids_find(&engine->ids, id);
    if (!session || session->state == SESSION_INACTIVE)
        return stray(engine);
    if (session->state == SESSION_PENDING && (session->flags & SESSION_INCOMING) == 0)
        return stray(engine);
    return session;
}

// UsherSend

static const char *send_error(struct usher_session *session, uint32_t len)
{
    if (session_is_unanswered(session))
        return "data before the open was answered";
    if ((session->flags & SESSION_STREAM) == 0)
        return "data on a datagram session";
    if (session->state == SESSION_SESSION_ACTIVE)
        return "data after the end of the data";
    if (len == 0)
        return "empty data";
    if (!credit_receive(&session->credit, &session->engine->budget, len, session->engine->now))
        return "more data than credit";
    return NULL;
}

struct usher_session *receive_send_header(struct usher_engine *engine, const struct record_header *header)
{
    struct usher_session *session = receive_find(engine, header->session);
    if (!session)
        return NULL;
    const char *error = send_error(session, header->length);
    if (error) {
        session_violate(session, error);
        return NULL;
    }
    engine->counters.data_received += header->length;
    session_put_ack_if_due(session);
    return session;
}

void receive_send_bytes(struct usher_session *session, const struct slice *slice)
{
    if ((session->flags & SESSION_DISCARDING) != 0)
        session_consume(session, slice->len); // else a peer that still writes would wait for credit for ever
    else
        session->ops->data(session->owner, slice);
}

// UsherSendUdp

static const char *datagram_error(const struct usher_session *session)
{
    if (session_is_unanswered(session))
        return "datagram before the open was answered";
    if ((session->flags & SESSION_STREAM) != 0)
        return "datagram on a stream session";
    if (session->state == SESSION_SESSION_ACTIVE)
        return "datagram after the end";
    return NULL;
}

static void receive_datagram(struct usher_engine *engine, uint16_t id, const struct usher_datagram *datagram)
{
    struct usher_session *session = receive_find(engine, id);
    if (!session)
        return;
    const char *error = datagram_error(session);
    if (error) {
        session_violate(session, error);
        return;
    }
    engine->counters.datagrams_received++;
    if ((session->flags & SESSION_DISCARDING) != 0)
        return;
    struct usher_datagram dressed = session_dress(session, datagram);
    session->ops->datagram(session->owner, &dressed);
}

// UsherAck

static void receive_ack(struct usher_engine *engine, uint16_t id, uint16_t size)
{
    if (id == 0 && size == 0)
        return; // a heartbeat
    struct usher_session *session = receive_find(engine, id);
    if (!session)
        return;
    if (session_is_unanswered(session) || (session->flags & SESSION_STREAM) == 0 || size == 0) {
        engine_glitch(engine);
        return;
    }
    if (!credit_raise(&session->credit, size)) {
        session_violate(session, "more credit than a session can have");
        return;
    }
    scheduler_update(&engine->scheduler, session, engine->now);
    if (session_wants_turn(session))
        engine_wake(engine);
}

// Decoding and dispatch

static bool dispatch_open(struct usher_engine *engine, const struct record_header *header, const uint8_t *body)
{
    struct usher_open open;
    if (!record_open_decode(&open, body, header->length))
        return false;
    receive_open(engine, header->session, &open);
    return true;
}

static bool dispatch_datagram(struct usher_engine *engine, const struct record_header *header, const uint8_t *body)
{
    struct usher_datagram datagram;
    if (!record_send_udp_decode(&datagram, body, header->length))
        return false;
    receive_datagram(engine, header->session, &datagram);
    return true;
}

static bool dispatch_reply(struct usher_engine *engine, const struct record_header *header, const uint8_t *body)
{
    uint16_t rc;
    const char *reason;
    if (!record_open_reply_decode(&rc, &reason, body, header->length))
        return false;
    receive_open_reply(engine, header->session, rc, reason);
    return true;
}

static bool dispatch_close(struct usher_engine *engine, const struct record_header *header, const uint8_t *body)
{
    enum usher_direction direction;
    if (!record_close_decode(&direction, body, header->length))
        return false;
    receive_close(engine, header->session, direction);
    return true;
}

static bool dispatch_ack(struct usher_engine *engine, const struct record_header *header, const uint8_t *body)
{
    uint16_t size;
    if (!record_ack_decode(&size, body, header->length))
        return false;
    receive_ack(engine, header->session, size);
    return true;
}

static bool dispatch_reason(struct usher_engine *engine, const struct record_header *header, const uint8_t *body)
{
    const char *reason;
    if (!record_reason_decode(&reason, body, header->length))
        return false;
    if (header->type == RECORD_END)
        engine_ended(engine, reason);
    else
        receive_rst(engine, header->session, reason);
    return true;
}

static bool dispatch(struct usher_engine *engine, const struct record_header *header, const uint8_t *body)
{
    switch ((enum record_type)header->type) {
    case RECORD_OPEN:
        return dispatch_open(engine, header, body);
    case RECORD_OPEN_REPLY:
        return dispatch_reply(engine, header, body);
    case RECORD_CLOSE:
        return dispatch_close(engine, header, body);
    case RECORD_SEND_UDP:
        return dispatch_datagram(engine, header, body);
    case RECORD_ACK:
        return dispatch_ack(engine, header, body);
    case RECORD_END:
    case RECORD_RST:
        return dispatch_reason(engine, header, body);
    case RECORD_SEND:
        break; // intake's
    }
    return false;
}

void receive_record(struct usher_engine *engine, const struct record_header *header, const uint8_t *body)
{
    if (!dispatch(engine, header, body))
        engine_protocol_error(engine, "bad record body");
}
