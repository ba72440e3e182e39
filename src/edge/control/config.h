// SPDX-License-Identifier: GPL-2.0-or-later
// What a control session is told when it is made, and what it counts.
#ifndef EDGE_CONTROL_CONFIG_H
#define EDGE_CONTROL_CONFIG_H

#include "edge/judge.h"
#include "edge/translate.h"
#include "os/resolver/resolver.h"
#include "usher/control.h"

struct control_session_ops {
    // Both ends confirm what they take: the tunnel may go on over another connection. NULL: nobody is interested.
    void (*confirms)(void *owner);
    // The other end has told what another connection is to show. NULL: nobody is interested.
    void (*ticket)(void *owner, const struct control_ticket *ticket);
    // The other end wants the current tunnel to end with its last session, and `left` says that it opens nothing in it any
    // more. From within the session's `data`: only a flag may be set. NULL: that is not heeded.
    void (*drain)(void *owner, bool left);
};

struct control_session_config {
    uv_loop_t *loop;
    bool opens;                        // this end has dialled
    const char *version;               // for the other end's log; borrowed
    uint32_t max_sessions;             // for the other end to know
    bool tells_origin;                 // who asked for our sessions, if the other end keeps it
    bool keeps_origin;                 // who asked for the other end's
    bool confirms;                     // records that are taken, if the other end does too: the tunnel may change lanes
    const struct judge *judge;         // of what the other end may reach; borrowed
    const struct translate *translate; // as its exits have it; borrowed; NULL: names are where their addresses say
    struct resolver *resolver;         // borrowed; NULL: nobody can tell which names exist here
    const struct control_session_ops *ops; // NULL: none
    void *owner;
};

#define CONTROL_COUNTERS(X)                                                                                            \
    X(probes, "names that the other end was asked for")                                                                \
    X(probes_failed, "of those, without an answer")                                                                    \
    X(probes_answered, "names that the other end asked for and was told about")                                        \
    X(probes_denied, "of those, names that it could not reach anyway")                                                 \
    X(unreachable_told, "datagrams of the other end that did not arrive here, and were told of")                       \
    X(unreachable_untold, "those that were not, as there were too many")                                               \
    X(unreachable_heard, "datagrams of ours that did not arrive there")                                                \
    X(origins_told, "sessions that the other end was told who asked for")                                              \
    X(origins_untold, "those that it was not, as there were too many")                                                 \
    X(origins_heard, "sessions of the other end of which it said who asked for them")

struct control_counters {
#define CONTROL_COUNTER_FIELD(name, help) uint64_t name;
    CONTROL_COUNTERS(CONTROL_COUNTER_FIELD)
#undef CONTROL_COUNTER_FIELD
};

#endif
