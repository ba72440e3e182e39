// SPDX-License-Identifier: GPL-2.0-or-later
// The engine's parts, for the files of usher/ that share them.
#ifndef USHER_ENGINE_INTERNAL_H
#define USHER_ENGINE_INTERNAL_H

#include "base/bucket.h"
#include "usher/credit.h"
#include "usher/datagrams.h"
#include "usher/engine.h"
#include "usher/heartbeat.h"
#include "usher/ids.h"
#include "usher/intake.h"
#include "usher/scheduler.h"

enum {
    ENGINE_GLITCHES = 1000,       // records against a session's rules before the tunnel ends (nghttp2's numbers)
    ENGINE_GLITCHES_PER_SEC = 33, // forgiven again
    ENGINE_REFUSALS_MAX = 4096,   // refusals of opens above a limit that may wait for a peer that does not read
};

struct usher_engine {
    struct usher_engine_config config;
    const struct usher_engine_ops *ops;
    void *owner;
    usec_t now; // of the last feed, pull or tick
    enum usher_status status;
    bool awake;     // `wake` was called and nothing has found the engine without work since
    bool end_sent;  // UsherEnd has been pulled
    uint32_t depth; // nesting of feed, pull, tick and end: the dead are freed at 0 only
    char reason[USHER_REASON_MAX + 1];

    struct ids ids;
    struct scheduler scheduler;
    struct intake intake;
    struct datagrams datagrams;
    struct datagram_entry *carry; // a datagram larger than the room was: its rest goes first
    uint32_t carry_at;            // bytes of it that have gone
    struct heartbeat heartbeat;
    struct credit_budget budget;
    struct bucket glitches;
    struct bucket opens;
    struct list dead; // released sessions, freed between calls

    uint32_t sessions; // bound to an id, refusals aside
    uint32_t refusals;
    uint32_t unanswered; // opened by the peer, waiting for the edge
    struct usher_counters counters;
};

// Pull has something to give.
void engine_wake(struct usher_engine *engine);
// A record broke a rule that costs no more than the session. Ends the tunnel when the bucket is empty.
void engine_glitch(struct usher_engine *engine);
// The peer broke the protocol: UsherEnd goes out, what follows is not read.
void engine_protocol_error(struct usher_engine *engine, const char *what);
// The peer sent UsherEnd.
void engine_ended(struct usher_engine *engine, const char *reason);

#endif
