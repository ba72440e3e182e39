// SPDX-License-Identifier: GPL-2.0-or-later
// A session as the engine sees it: what its parts are, and the steps of its life. 10,000 of them are held at once: every
// field is there once and as small as it can be.
//
// One life: session_new takes an id; session_release gives it back and puts the structure on the engine's list of the
// dead, which is freed when no callback can be on the stack. `owner` is called only while it is attached.
#ifndef USHER_SESSION_STATE_H
#define USHER_SESSION_STATE_H

#include "usher/account.h"
#include "usher/association.h"
#include "usher/closing.h"
#include "usher/credit.h"
#include "usher/due.h"
#include "usher/opening.h"
#include "usher/scheduler.h"
#include "usher/session_ops.h"

struct usher_engine;

struct usher_session {
    struct usher_engine *engine;
    const struct usher_session_ops *ops;
    void *owner;
    struct due *due;    // what it has to say; NULL: nothing
    struct place place; // among those that send; its link is on engine.dead at the end
    union {
        struct credit credit;           // opening.stream
        struct association association; // else
    };
    struct opening opening;
    struct closing closing;
    bool ready; // the edge said that it has bytes
};

// A new pending session for `open`, with `opening` as its beginning and the id that the peer proposed, where that is free,
// else (also for 0) one of our own parity. NULL when there is none.
struct usher_session *session_new(struct usher_engine *engine, const struct usher_open *open,
                                  const struct opening *opening, uint16_t proposed);
// The session that a record is for, if the record may touch it; else NULL, and a stray is counted: records for a session
// that we do not know any more are legal, the peer wrote them before it heard. While we wait for the answer to an open,
// anything else that comes for its id is a left-over of the id's earlier life.
struct usher_session *session_find(struct usher_engine *engine, uint16_t id);

void session_set_state(struct usher_session *session, enum session_state state);
// To who keeps accounts, before anything of it is thrown away.
void session_account_for(const struct usher_session *session, const struct usher_over *how);
// The last word to the edge, if there is one. The session is INACTIVE afterwards.
void session_end(struct usher_session *session, enum usher_ending ending, enum usher_word word, const char *text);
// Unbinds the ids; the structure goes when no callback can be on the stack.
void session_release(struct usher_session *session);
void session_free(struct usher_session *session);

// Takes its place among those that send while it has credit and something to send, and leaves it else. The second wakes
// the engine too.
void session_update_turn(struct usher_session *session);
void session_seek_turn(struct usher_session *session);

#endif
