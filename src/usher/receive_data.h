// SPDX-License-Identifier: GPL-2.0-or-later
// What data, datagrams and credit of the peer do to a session.
#ifndef USHER_RECEIVE_DATA_H
#define USHER_RECEIVE_DATA_H

#include "base/chunk.h"
#include "usher/record.h"

struct usher_engine;
struct usher_session;

// The header of an UsherSend: judged whole, before any of its bytes. NULL: the body is to be skipped.
struct usher_session *receive_send_header(struct usher_engine *engine, const struct record_header *header);
// A run of its body.
void receive_send_bytes(struct usher_session *session, const struct slice *slice);
void receive_datagram(struct usher_engine *engine, uint16_t id, const struct usher_datagram *datagram);
void receive_ack(struct usher_engine *engine, uint16_t id, uint16_t size);

#endif
