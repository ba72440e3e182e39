// SPDX-License-Identifier: GPL-2.0-or-later
// What a session has to say to the peer, and what it then is: a session that is reset or refused is INACTIVE and says one
// record more; one that has ended its data says its Close.
#ifndef USHER_SESSION_DUE_H
#define USHER_SESSION_DUE_H

#include "usher/closing.h"
#include "usher/opening.h"
#include "usher/reason.h"
#include "usher/record.h"

struct usher_session;

// Records that leave the session as it is: UsherOpen, the positive UsherOpenReply, and, for an open that is given up, an
// UsherRST by the id that we know.
void session_put_open(struct usher_session *session, const struct usher_open *open);
void session_put_answer(struct usher_session *session);
void session_put_early_rst(struct usher_session *session, const char *reason);

// The last record of a session, which is INACTIVE already; while the peer still waits for an answer, an UsherRST becomes
// a refusal.
void session_put_rst(struct usher_session *session, const char *reason);
void session_put_refusal(struct usher_session *session, const char *reason);

void session_put_close(struct usher_session *session);
void session_put_ack_if_due(struct usher_session *session);

// Nothing is left to send: if the edge has finished, the Close follows.
void session_drained(struct usher_session *session);
// Ends it here and there.
void session_abort(struct usher_session *session, enum usher_word word, const char *why);
// The peer broke a rule of this session: it ends here and there, and the tunnel remembers.
void session_violate(struct usher_session *session, const char *what);
// Takes `len` bytes as consumed.
void session_consume(struct usher_session *session, uint64_t len);

#endif
