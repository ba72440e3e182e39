// SPDX-License-Identifier: GPL-2.0-or-later
// For who keeps accounts: each session of an engine, whoever opened it, from its first word to how it ended. The control
// session is none.
#ifndef USHER_ACCOUNT_H
#define USHER_ACCOUNT_H

#include "usher/session_ops.h"

struct usher_engine;
struct usher_session;

// How it ended. What a session has sent and received, and who asked for it, can still be asked of it.
struct usher_over {
    enum usher_ending ending;
    bool by_us;           // who refused or reset it; nobody in particular closes one, or loses it
    enum usher_word word; // of refusals and resets
    const char *text;     // unescaped; valid during the call only
};

struct usher_account_ops {
    // Nothing else has heard of it yet.
    void (*came)(void *owner, const struct usher_session *session, const struct usher_open *open, bool incoming);
    // Perhaps more than once of the same: the first counts.
    void (*over)(void *owner, const struct usher_session *session, const struct usher_over *how);
};

// Of sessions that come from now on. NULL: no more.
void usher_engine_keep_account(struct usher_engine *engine, const struct usher_account_ops *ops, void *owner);

#endif
