// SPDX-License-Identifier: GPL-2.0-or-later
// One end of a session as an edge would have it, with a plan drawn by chance: how much to send in what pieces, how fast
// to consume, when to finish, reset or give up, how to answer. Everything the session promises is checked as it comes.
#ifndef SIM_FLOW_H
#define SIM_FLOW_H

#include "base/list.h"
#include "random.h"
#include "usher/engine.h"

// What the two ends of a flow, and the run, know together.
struct flow_world {
    struct chance *chance;
    bool cut;        // the tunnel is, or may be, gone: LOST is a legal end
    bool opens_lost; // ... of an open that was not answered
    struct flow_tally *tally;
};

// Of all runs together, to see that chance visits every corner.
enum { PAUSES_MAX = 100 * 1000 };

struct flow_tally {
    size_t pause_count;
    usec_t pauses[PAUSES_MAX];
    uint64_t flows; // ends of flows: two of each that was answered
    uint64_t complete;
    uint64_t by_ending[USHER_ENDED_LOST + 1];
    uint64_t reset_here;
    uint64_t evicted;
    uint64_t bytes;
    uint64_t datagrams;
    uint64_t lanes_lost;
    uint64_t tunnels;
    uint64_t revoked;   // tunnels that the gate ended for what they are
    uint64_t refusals;  // lanes and logins of a portal that is not allowed in
    uint64_t drained;   // tunnels that were left, and ended by themselves
    uint64_t impatient; // ... and did not within the time for it
    uint64_t bytes_again;
};

enum flow_role { FLOW_OPENER, FLOW_ANSWERER };
enum flow_phase { FLOW_WAITING, FLOW_OPEN, FLOW_OVER };

struct flow {
    struct list in_side;
    struct flow_world *world;
    struct usher_session *session;
    struct flow *other; // the far end, once both exist
    uint32_t key;
    enum flow_role role;
    enum flow_phase phase;
    bool stream;

    // The plan.
    uint64_t to_send;      // bytes, or datagrams
    unsigned reset_chance; // in a thousand, at every turn
    unsigned lazy;         // percent of turns in which nothing is consumed
    bool will_refuse;

    // What happened.
    uint64_t sent;
    uint64_t received;
    uint64_t consumed;
    uint64_t next_datagram; // the lowest number that may still come
    bool was_open;
    bool finish_called;
    bool finished_seen;
    bool reset_here; // by us: reset, refusal or giving up
    bool evicted;    // by either engine
    bool ended_seen;
    enum usher_ending ending;
};

// A flow that opens a session; NULL when the engine has no room for it.
struct flow *flow_open(struct flow_world *world, struct usher_engine *engine, uint32_t key);
// The other end of what `open` names. NULL: it is left unattached.
struct flow *flow_answer(struct flow_world *world, struct usher_session *session, const struct usher_open *open);
// Something that an edge might do now.
void flow_act(struct flow *flow);
// After the run: does what came fit to what the far end did?
void flow_check(const struct flow *flow);
uint32_t flow_key(const struct usher_open *open);

#endif
