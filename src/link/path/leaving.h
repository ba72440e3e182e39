// SPDX-License-Identifier: GPL-2.0-or-later
// Tunnels that the path has left for another one: each lives for the sessions that it has, and the gate ends it with the
// last of them. What is new goes through the one that came after it.
#ifndef LINK_PATH_LEAVING_H
#define LINK_PATH_LEAVING_H

#include "base/list.h"
#include "link/path/approach.h"

enum { LEAVING_MAX = 8 }; // at once; a gate that asks for more has its oldest ended

// Embedded in the path.
struct leaving {
    struct list tunnels; // the oldest first
    size_t count;
    struct usher_counters counters; // of all that ever were in it, together
};

void leaving_init(struct leaving *leaving);
void leaving_fini(struct leaving *leaving);
// Takes over an approach that is up; `gate` is for people.
void leaving_add(struct leaving *leaving, struct approach *approach, const char *gate);
bool leaving_has(const struct leaving *leaving, const struct approach *approach);
// One of them is over: it goes with the next turn.
void leaving_over(struct leaving *leaving, const struct approach *approach);
// End of turn, as tunnel_turn.
bool leaving_turn(struct leaving *leaving, usec_t now);
// Ends them in order (see tunnel_end).
void leaving_end(struct leaving *leaving, const char *reason);
// Ends those of which `unwanted` says why.
void leaving_judge(struct leaving *leaving, const char *(*unwanted)(void *arg, struct tunnel *tunnel), void *arg);
// Gives up those of which `stranded` says why they cannot go on.
void leaving_drop(struct leaving *leaving, const char *(*stranded)(void *arg, struct tunnel *tunnel), void *arg);
// The list "leaving".
void leaving_describe(const struct leaving *leaving, struct facts *facts);

#endif
