// SPDX-License-Identifier: GPL-2.0-or-later
// A session as the edges see it: one TCP flow, UDP association or ping, whichever side opened it. This is the one
// narrow face between the tunnel and capture, listen and dial.
//
// States (doc/PROTOCOL.md section 7): pending, active, session active (the peer has closed its sending), write active
// (we have closed ours), inactive.
//
// Ownership. The edge holds a `struct usher_session *` from usher_session_open, or from the engine's `opened` event
// once it has called usher_session_attach, until the first of: its own call of usher_session_refuse or
// usher_session_reset; the return of its `ended` callback. After that the pointer is dead for the edge and no callback
// comes. Callbacks may call any function of this header for any session. What the engine frees, it frees between calls.
#ifndef USHER_SESSION_H
#define USHER_SESSION_H

#include "usher/session_ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct usher_engine;
struct usher_session;

// A new session with `open`'s destination. NULL when the session limit is reached or the tunnel is ending.
struct usher_session *usher_session_open(struct usher_engine *engine, const struct usher_open *open,
                                         const struct usher_session_ops *ops, void *owner);
// Takes over a session that the peer opened; from within the engine's `opened` event. Answer it, now or later, by
// exactly one of usher_session_accept or usher_session_refuse.
void usher_session_attach(struct usher_session *session, const struct usher_session_ops *ops, void *owner);
void usher_session_accept(struct usher_session *session);
void usher_session_refuse(struct usher_session *session, enum usher_word word, const char *text);

// Tells the peer who asked for it, where the two ends have agreed to that; right after usher_session_open, as it goes before
// that. Costs nothing else.
void usher_session_say_origin(struct usher_session *session, const struct endpoint *who);
// The control session has heard that of the session that will be opened by `id` next.
void usher_session_origin_came(struct usher_session *control, uint16_t id, const struct endpoint *who);
// Who asked for a session of the peer's; false when it has not said.
bool usher_session_origin(const struct usher_session *session, struct endpoint *who);

// There are bytes to send: `fill` will be asked. Cheap; may be called for every packet. From within `fill` it has no
// effect when that returns 0.
void usher_session_ready(struct usher_session *session);
// `len` bytes that came by `data` have reached their destination: credit for the peer (section 5).
void usher_session_consumed(struct usher_session *session, size_t len);
// Queues a copy of a datagram. When the queue is full the oldest of this session are dropped and counted. False when
// this one could not be queued at all (too large, or the session is not active).
bool usher_session_datagram(struct usher_session *session, const struct usher_datagram *datagram);

// Tells the peer that one of its datagrams has not arrived; `text` must be static. False when the two ends have no way to
// say that: what is left then is to reset the session.
bool usher_session_unreachable(struct usher_session *session, const struct usher_unreachable *what);
// The control session has heard that of our session `id`. It may be none any more.
void usher_session_heard(struct usher_session *control, uint16_t id, const struct usher_unreachable *what);

// Local end-of-file: `fill` is asked until it returns 0, then UsherClose(READ) goes out. May be called from `fill`, and
// before the session is open. While the peer gives no credit (its application does not read) bytes wait, and so does the
// Close behind them.
void usher_session_finish(struct usher_session *session);
// The same where it is known that no bytes are left, from within `fill` but for those that it returns: the Close goes out
// at once, whatever the credit.
void usher_session_finish_empty(struct usher_session *session);
// UsherClose(BOTH), for associations: queued datagrams still go out first, and what still comes is not delivered.
// `ended` follows when the peer has answered; there is no time limit in here for a peer that never does.
void usher_session_close(struct usher_session *session);
// UsherRST (or, while pending, giving up): everything queued is thrown away at both ends.
void usher_session_reset(struct usher_session *session, enum usher_word word, const char *text);

// What is said inside of the session breaks a rule: the peer's budget for such pays, and the tunnel ends when it is spent.
void usher_session_glitch(struct usher_session *session);
// It breaks one without which the tunnel cannot go on: it ends, and `what` says why. From within the session's callbacks
// `data`, `finished`, `stop_sending` and `ended` only.
void usher_session_protocol_error(struct usher_session *session, const char *what);

// Whether both ends confirm the records that they take, as they have told each other in this session.
void usher_session_confirming(struct usher_session *session, bool agreed);

uint64_t usher_session_sent(const struct usher_session *session);      // bytes of data or datagrams, all time
uint64_t usher_session_received(const struct usher_session *session);  // bytes of data or datagrams, all time
uint64_t usher_session_send_room(const struct usher_session *session); // bytes we may still send before an UsherAck
const char *usher_session_state(const struct usher_session *session);  // "pending", "active", ...

#endif
