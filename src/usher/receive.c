// SPDX-License-Identifier: GPL-2.0-or-later
// Decoding and dispatch of every record. After a callback any session may be in any state, and the engine may have
// stopped: it is looked at again before every piece.
#include "usher/receive.h"

#include "usher/engine_state.h"
#include "usher/receive_close.h"
#include "usher/receive_data.h"
#include "usher/receive_open.h"

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
        break; // comes in pieces of its own
    }
    return false;
}

// False when nothing was left.
static bool take_piece(struct usher_engine *engine, struct slice *in)
{
    struct intake_piece piece;
    switch (intake_next(&engine->intake, in, &piece, engine->now)) {
    case INTAKE_NOTHING:
        return false;
    case INTAKE_SEND:
        intake_aim(&engine->intake, receive_send_header(engine, &piece.header));
        break;
    case INTAKE_BYTES:
        receive_send_bytes(piece.target, &piece.bytes);
        break;
    case INTAKE_RECORD:
        if (!dispatch(engine, &piece.header, piece.body))
            engine_protocol_error(engine, "bad record body");
        break;
    case INTAKE_BROKEN:
        engine_protocol_error(engine, "bad record header");
        break;
    }
    return true;
}

void receive_feed(struct usher_engine *engine, struct slice in)
{
    while (engine->status == USHER_RUNNING && take_piece(engine, &in))
        continue;
}
