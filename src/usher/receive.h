// SPDX-License-Identifier: GPL-2.0-or-later
// What the peer's bytes do: the receiver's half of doc/PROTOCOL.md, cut by intake and told apart here. Sending is
// transmit's.
//
// Three answers to a broken rule: the tunnel ends (engine_protocol_error), the session ends (session_violate), or the
// record is dropped and remembered (engine_glitch).
#ifndef USHER_RECEIVE_H
#define USHER_RECEIVE_H

#include "base/chunk.h"

struct usher_engine;

// Takes all of `in`, or as much as comes before the engine no longer runs.
void receive_feed(struct usher_engine *engine, struct slice in);

#endif
