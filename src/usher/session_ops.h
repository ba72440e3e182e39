// SPDX-License-Identifier: GPL-2.0-or-later
// What a session tells the edge that holds it. What an edge may do with a session is in usher/session.h.
#ifndef USHER_SESSION_OPS_H
#define USHER_SESSION_OPS_H

#include "base/chunk.h"
#include "usher/reason.h"
#include "usher/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum usher_ending {
    USHER_ENDED_CLOSED,  // both directions closed by both sides; queued data is still the edge's to write out
    USHER_ENDED_REFUSED, // negative UsherOpenReply
    USHER_ENDED_RESET,   // UsherRST, or the peer broke a rule of this session
    USHER_ENDED_LOST,    // the tunnel is gone
};

// What became of one datagram, and of no other.
struct usher_unreachable {
    struct endpoint from, to; // the datagram's; version 0 where its session has one far end
    enum usher_word word;
    const char *text; // valid during the call only
};

struct usher_session_ops {
    // The peer accepted our open: data may flow. May be NULL for sessions that the peer opened.
    void (*opened)(void *owner);
    // Write up to `size` bytes to send into `room` and return how many. 0 means "none now": the engine asks again
    // after usher_session_ready. Called only while there is credit and room on the link.
    size_t (*fill)(void *owner, uint8_t *room, size_t size);
    // Bytes from the peer, in order. Keep them with slice_keep; call usher_session_consumed once they are written.
    void (*data)(void *owner, const struct slice *slice);
    // A datagram from the peer; its bytes are valid during the call only.
    void (*datagram)(void *owner, const struct usher_datagram *datagram);
    // One of our datagrams has not arrived, and the session goes on. NULL: it is over with the first, as by an UsherRST.
    void (*unreachable)(void *owner, const struct usher_unreachable *what);
    // Of the control session alone (usher_session_unreachable): says so of the peer's session of that id, or false.
    bool (*tell)(void *owner, uint16_t session, const struct usher_unreachable *what);
    // Of the control session alone (usher_session_say_origin): says it of our session of that id, or false.
    bool (*say_origin)(void *owner, uint16_t session, const struct endpoint *who);
    // UsherClose(READ): no more data will come; write out what is queued, then shut down the writing half.
    void (*finished)(void *owner);
    // UsherClose(WRITE): the peer can take no more; stop reading. The engine has answered for us.
    void (*stop_sending)(void *owner);
    // The session is over (usher/session.h: `Ownership`). `text` is the peer's own reason, unescaped; "" when there is
    // none.
    void (*ended)(void *owner, enum usher_ending ending, enum usher_word word, const char *text);
};

#endif
