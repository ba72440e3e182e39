// SPDX-License-Identifier: GPL-2.0-or-later
// The files of the receiving half among themselves. Three answers to a broken rule: the tunnel ends
// (engine_protocol_error), the session ends (session_violate), or the record is dropped and remembered (engine_glitch).
// Records for a session that we do not know any more are legal, the peer wrote them before it heard; they are strays.
//
// After a callback any session may be in any state: nothing is done to a session after one without looking again.
#ifndef USHER_RECEIVE_INTERNAL_H
#define USHER_RECEIVE_INTERNAL_H

#include "usher/record.h"

struct usher_engine;
struct usher_session;

// The session that a record is for, if the record may touch it; else NULL, and a stray is counted. While we wait for the
// answer to an open, anything else that comes for its id is a left-over of the id's earlier life.
struct usher_session *receive_find(struct usher_engine *engine, uint16_t id);

void receive_open(struct usher_engine *engine, uint16_t id, const struct usher_open *open);
void receive_open_reply(struct usher_engine *engine, uint16_t id, uint16_t rc, const char *reason);
void receive_close(struct usher_engine *engine, uint16_t id, enum usher_direction direction);
void receive_rst(struct usher_engine *engine, uint16_t id, const char *reason);

#endif
