// SPDX-License-Identifier: GPL-2.0-or-later
// What an engine is made of, for the files of usher/ that share it, and what can happen to it from below: something is
// there to be pulled, or the tunnel stops.
#ifndef USHER_ENGINE_STATE_H
#define USHER_ENGINE_STATE_H

#include "base/bucket.h"
#include "usher/account.h"
#include "usher/config.h"
#include "usher/confirming.h"
#include "usher/counters.h"
#include "usher/credit.h"
#include "usher/datagrams.h"
#include "usher/heartbeat.h"
#include "usher/ids.h"
#include "usher/intake.h"
#include "usher/origins.h"
#include "usher/scheduler.h"

enum {
    ENGINE_GLITCHES = 1000,       // records against a session's rules before the tunnel ends (nghttp2's numbers)
    ENGINE_GLITCHES_PER_SEC = 33, // forgiven again
    // Opens that the peer gives up before they are answered, which cost us work for nothing: so many are no abuse, what is
    // more is. Of our own we give up half as many by a record; the others wait for their answer, as nobody who opens
    // sessions for others can keep these from changing their minds.
    ENGINE_CANCELS = 1000,
    ENGINE_CANCELS_PER_SEC = 33,
    ENGINE_ORIGINS_EARLY = 1024, // of sessions that are not opened yet, beside those that may be
    ENGINE_REFUSALS_MAX = 4096,  // refusals of opens above a limit that may wait for a peer that does not read
};

struct usher_engine {
    struct usher_engine_config config;
    const struct usher_engine_ops *ops;
    void *owner;
    const struct usher_account_ops *account; // NULL: nobody keeps one
    void *accountant;
    usec_t now; // of the last feed, pull or tick
    enum usher_status status;
    bool awake;     // `wake` was called and nothing has found the engine without work since
    bool end_sent;  // UsherEnd has been pulled
    uint32_t depth; // nesting of feed, pull, tick and end: the dead are freed at 0 only
    char reason[USHER_REASON_MAX + 1];

    struct ids ids;
    struct list due; // control records: they go before data (usher/due.h)
    struct scheduler scheduler;
    struct intake intake;
    struct datagrams datagrams;
    struct datagram_entry *carry;  // a datagram larger than the room was: its rest goes first
    uint32_t carry_at;             // bytes of it that have gone
    struct usher_session *filling; // its `fill` is being called
    struct heartbeat heartbeat;
    struct confirming confirming;
    struct credit_budget budget;
    struct bucket glitches;
    struct bucket cancelled; // by the peer
    struct bucket given_up;  // by us
    struct bucket opens;
    struct list dead; // released sessions, freed between calls

    uint32_t sessions;             // bound to an id, refusals aside
    struct usher_session *control; // the one that is not counted, or NULL
    bool control_first;            // what it has to say goes before opens that are due
    struct origins origins;        // of the peer's sessions
    uint32_t refusals;
    uint32_t unanswered; // opened by the peer, waiting for the edge
    struct usher_counters counters;
};

// Pull has something to give.
void engine_wake(struct usher_engine *engine);
// UsherEnd goes out, what still comes is not read; the sessions are lost when the outermost verb returns. Nothing when
// the engine no longer runs.
void engine_stop(struct usher_engine *engine, const char *reason);
// The same, because the peer broke the protocol.
void engine_protocol_error(struct usher_engine *engine, const char *what);
// A record broke a rule that costs no more than the session. Stops the engine when the bucket is empty.
void engine_glitch(struct usher_engine *engine);
// The peer sent UsherEnd.
void engine_ended(struct usher_engine *engine, const char *reason);

#endif
