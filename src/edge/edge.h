// SPDX-License-Identifier: GPL-2.0-or-later
// A way into or out of the tunnel, as everybody else sees it: an entrance (capture, listen), an exit (dial, local), or
// both. Each is a kind with one table of functions and a folder of its own; what it knows of the others is this header.
//
//     entrance   a flow begins -> edge_open(opening) -> the exchange opens a session, or holds the opening until there is
//                a tunnel -> the session's own callbacks (usher/session.h) tell what became of it
//     exit       the peer opens a session -> the exchange picks the exit that serves it -> adopt
//
// Ownership. The program makes an edge and frees it by `stop`; between exchange_add and that the exchange calls it.
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include "base/facts.h"
#include "base/timeline.h"
#include "edge/flow_info.h"
#include "edge/visit.h"
#include "usher/session.h"

struct edge;

// A flow on its way into the tunnel: part of the entrance's own structure, list initialised. It is the `owner` of the
// session's callbacks.
struct opening {
    // The exchange's while the opening is held or refused, the entrance's at other times. Taken off its list in the
    // meantime, it is given up: nobody hears of it any more.
    struct timed timed;
    struct usher_session *session; // NULL: not opened yet, or over
};

// What the entrance wants for it.
struct want {
    struct usher_open open;              // the far end, as address or name
    struct endpoint origin;              // who asked
    const struct usher_session_ops *ops; // all callbacks get the opening as their owner
};

struct edge_kind {
    const char *name; // for users: which way a flow takes

    // A tunnel has come, and what waited for one has not been opened yet; `extended`: both ends have agreed to usher/1. May
    // open. May be NULL.
    void (*tunnel_came)(struct edge *edge, bool extended);

    // Entrances. Says what is wanted: when the opening is made, and again each time it is tried after having been held.
    void (*want)(const struct opening *opening, struct want *out);
    // There is a session, not answered yet: `timed` is the entrance's again. Also from within edge_open.
    void (*placed)(struct opening *opening);
    // There will be none: no tunnel came in time, or there is no room. Never from within edge_open.
    void (*refused)(struct opening *opening, enum usher_word word, const char *text);
    // Something else than an opening waits for a tunnel. May be NULL.
    bool (*is_waiting)(const struct edge *edge);

    // Exits. Whether it takes sessions of this IP protocol; takes one over (usher_session_attach), to be answered now or
    // later. May change nothing in the list of edges.
    bool (*serves)(const struct edge *edge, uint16_t protocol);
    void (*adopt)(struct edge *edge, struct usher_session *session, const struct usher_open *open);

    // Both. The end of a turn: what is written before the tunnel is pulled gives credit back, which then goes along; what
    // is written to applications after the pull carries the acknowledgement of what was pulled. Either may be NULL.
    void (*before_pull)(struct edge *edge, usec_t now);
    void (*after_pull)(struct edge *edge, bool link_blocked, usec_t now);

    uint32_t (*flows)(const struct edge *edge); // how many there are
    void (*each_flow)(struct edge *edge, flow_visit *visit, void *arg, usec_t now);
    void (*describe)(const struct edge *edge, struct facts *facts); // NULL: nothing to tell
    // Closes everything; sessions have ended. Memory may go when the loop runs next.
    void (*stop)(struct edge *edge);
};

// What the exchange does for an edge.
struct edge_host {
    void (*open)(struct edge *edge, struct opening *opening);
    void (*wake)(struct edge *edge);
    bool (*is_led)(const struct edge *edge, uint16_t protocol, const struct endpoint *to);
    void (*reached)(const struct edge *edge, const struct usher_session *session, const struct endpoint *to);
    struct visit *(*visit)(const struct edge *edge, const struct usher_session *session, const struct endpoint *to,
                           const struct address *there);
};

// First in each edge's own structure. Zeroed but for `kind`.
struct edge {
    const struct edge_kind *kind;
    // The exchange's, from exchange_add on.
    const struct edge_host *host;
    void *exchange;
    struct list node;
    struct timeline held; // openings that wait for a tunnel
    struct list refused;  // openings that found no room; their owners hear of it at the end of the turn
    struct list nowhere;  // those whose far end nobody has; the same
};

// Opens a session for it, at once or when there is a tunnel again; takes `opening` off the list that it is on.
static inline void edge_open(struct edge *edge, struct opening *opening)
{
    list_remove(&opening->timed.node);
    edge->host->open(edge, opening);
}

// Whether that address stands for a far end elsewhere. Then a session for datagrams to it has that one far end, and is not
// for others.
static inline bool edge_is_led(const struct edge *edge, uint16_t protocol, const struct endpoint *to)
{
    return edge->host->is_led(edge, protocol, to);
}

// For accounts: where a session of the peer's goes, or was to go, as far as that is known; before it is answered, and again if
// it is refused later. Version 0 of `to`: its name was refused as such.
static inline void edge_reached(const struct edge *edge, const struct usher_session *session, const struct endpoint *to)
{
    if (edge->host->reached)
        edge->host->reached(edge, session, to);
}

// For accounts: datagrams of a session of the peer's go to `to`, which is at `there`, from now on. NULL: nobody wants to know.
static inline struct visit *edge_visit(const struct edge *edge, const struct usher_session *session,
                                       const struct endpoint *to, const struct address *there)
{
    return edge->host->visit ? edge->host->visit(edge, session, to, there) : NULL;
}

// A turn must be run before the loop sleeps. Only a flag is set.
static inline void edge_wake(struct edge *edge)
{
    edge->host->wake(edge);
}

#endif
