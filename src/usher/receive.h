// SPDX-License-Identifier: GPL-2.0-or-later
// What the peer's records do: the receiver's half of doc/PROTOCOL.md. Framing is intake's; sending is transmit's.
#ifndef USHER_RECEIVE_H
#define USHER_RECEIVE_H

#include "base/chunk.h"
#include "usher/record.h"

struct usher_engine;
struct usher_session;

// The header of an UsherSend: judged whole, before any of its bytes. NULL: the body is to be skipped.
struct usher_session *receive_send_header(struct usher_engine *engine, const struct record_header *header);
// A run of its body.
void receive_send_bytes(struct usher_session *session, const struct slice *slice);
// Any other record, whole.
void receive_record(struct usher_engine *engine, const struct record_header *header, const uint8_t *body);

#endif
