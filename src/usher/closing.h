// SPDX-License-Identifier: GPL-2.0-or-later
// How far a session is on its way through doc/PROTOCOL.md section 7, as a value: its state, what has become of our own
// Close, and what the peer said about its side. It knows of no record, list or callback.
//
//     PENDING         opened by us and not answered, or by the peer and not yet accepted or refused
//     ACTIVE          both directions open
//     SESSION_ACTIVE  the peer's Close(READ) has come; we still send
//     WRITE_ACTIVE    our Close(READ) has gone; the peer still sends
//     INACTIVE        over. The edge knows or caused it. While a last record (UsherRST, negative UsherOpenReply) waits to
//                     be pulled the id stays bound, because the peer does not know yet.
#ifndef USHER_CLOSING_H
#define USHER_CLOSING_H

#include "usher/record.h"

#include <stdbool.h>
#include <stdint.h>

enum session_state {
    SESSION_PENDING,
    SESSION_ACTIVE,
    SESSION_SESSION_ACTIVE,
    SESSION_WRITE_ACTIVE,
    SESSION_INACTIVE,
    SESSION_STATES // how many
};

// Our own Close: it only ever goes forward.
enum closing_own {
    CLOSING_NOT,
    CLOSING_FINISHING, // local end-of-file: the Close follows the last byte
    CLOSING_DUE,       // it waits to be pulled; nothing is sent any more
    CLOSING_SENT,      // it has been pulled
};

struct closing {
    uint8_t state : 3;        // enum session_state
    uint8_t own : 2;          // enum closing_own
    uint8_t both : 1;         // our Close is a Close(BOTH)
    uint8_t peer_stopped : 1; // the peer takes no more of what we send
    uint8_t discarding : 1;   // we said that we take no more: what still comes is credited and forgotten
};

// The one setter of `state`; asserts that the step is legal.
void closing_step(struct closing *closing, enum session_state state);

// Whether bytes or datagrams may still be sent, credit aside.
bool closing_may_send(const struct closing *closing);
// Whether the peer may still send, and so has a use for credit.
bool closing_may_receive(const struct closing *closing);
// Whether local end-of-file was said and its Close has still to follow.
bool closing_is_finishing(const struct closing *closing);

// Local end-of-file; for `both`, what still comes is not wanted either.
void closing_finish(struct closing *closing, bool both);
// Nothing is sent any more: our Close is due.
void closing_make_due(struct closing *closing);
enum usher_direction closing_direction(const struct closing *closing);
// It has been pulled.
void closing_sent(struct closing *closing);
// The peer's Close(WRITE) came, or for `both` its Close(BOTH). True when our own Close has to answer it; false when that
// has gone before (the two crossed), or has answered another already.
bool closing_peer_stops(struct closing *closing, bool both);

// The state that follows when our Close has been pulled, and when the peer's Close(READ) has come.
enum session_state closing_after_ours(const struct closing *closing);
enum session_state closing_after_peers(const struct closing *closing);

#endif
