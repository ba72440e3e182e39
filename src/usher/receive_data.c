// SPDX-License-Identifier: GPL-2.0-or-later
// A record that breaks a rule of its session ends the session; credit that nobody can use is dropped and remembered.
#include "usher/receive_data.h"

#include "usher/engine_state.h"
#include "usher/session_due.h"
#include "usher/session_state.h"

// UsherSend

static const char *send_error(struct usher_session *session, uint32_t len)
{
    if (opening_is_unanswered(&session->opening))
        return "data before the open was answered";
    if (!session->opening.stream)
        return "data on a datagram session";
    if (!closing_may_receive(&session->closing))
        return "data after the end of the data";
    if (len == 0)
        return "empty data";
    if (!credit_receive(&session->credit, &session->engine->budget, len, session->engine->now))
        return "more data than credit";
    return NULL;
}

struct usher_session *receive_send_header(struct usher_engine *engine, const struct record_header *header)
{
    struct usher_session *session = session_find(engine, header->session);
    if (!session)
        return NULL;
    const char *error = send_error(session, header->length);
    if (error) {
        session_violate(session, error);
        return NULL;
    }
    if (!session->opening.aside) {
        engine->counters.data_received += header->length;
        engine->counters.payload_received += header->length;
    }
    session_put_ack_if_due(session);
    return session;
}

void receive_send_bytes(struct usher_session *session, const struct slice *slice)
{
    if (session->closing.discarding)
        session_consume(session, slice->len); // else a peer that still writes would wait for credit for ever
    else
        session->ops->data(session->owner, slice);
}

// UsherSendUdp

static const char *datagram_error(const struct usher_session *session)
{
    if (opening_is_unanswered(&session->opening))
        return "datagram before the open was answered";
    if (session->opening.stream)
        return "datagram on a stream session";
    if (!closing_may_receive(&session->closing))
        return "datagram after the end";
    return NULL;
}

void receive_datagram(struct usher_engine *engine, uint16_t id, const struct usher_datagram *datagram)
{
    struct usher_session *session = session_find(engine, id);
    if (!session)
        return;
    const char *error = datagram_error(session);
    if (error) {
        session_violate(session, error);
        return;
    }
    engine->counters.datagrams_received++;
    engine->counters.payload_received += datagram->len;
    session->association.received += datagram->len;
    if (session->closing.discarding)
        return;
    struct usher_datagram dressed = association_dress(&session->association, datagram);
    session->ops->datagram(session->owner, &dressed);
}

// UsherAck

// Of SIZE 0 it is a heartbeat.
static void receive_confirmation(struct usher_engine *engine, uint16_t size)
{
    engine->confirming.quiet++;
    if (size > 0 && !engine->confirming.agreed)
        engine->counters.strays++;
    else if (size > 0 && engine->ops->confirmed && !engine->ops->confirmed(engine->owner, size))
        engine_protocol_error(engine, "more records confirmed than sent");
}

void receive_ack(struct usher_engine *engine, uint16_t id, uint16_t size)
{
    if (id == 0) {
        receive_confirmation(engine, size);
        return;
    }
    struct usher_session *session = session_find(engine, id);
    if (!session)
        return;
    if (opening_is_unanswered(&session->opening) || !session->opening.stream || size == 0)
        engine_glitch(engine);
    else if (!credit_raise(&session->credit, size))
        session_violate(session, "more credit than a session can have");
    else
        session_seek_turn(session);
}
