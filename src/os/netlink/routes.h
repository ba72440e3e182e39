// SPDX-License-Identifier: GPL-2.0-or-later
// The routing plan: what is captured, and how it fails closed.
//
// The prefixes of one length make a level, with a table of its own. Each prefix gets two routes there: one into the TUN
// device, and an unreachable one behind it (with a huge metric), which outlives the process: after a crash captured
// traffic is refused, never sent in clear. The levels are judged from the longest prefixes to the shortest, by rules:
//
//     to P lookup main suppress_prefixlength LEN    for each P of the level: the host's own more specific routes win,
//                                                   its LAN, say
//     not fwmark MARK lookup TABLE                  all else that the level has; what it has not goes on to the next
//
// The link to the gate carries the mark and stays outside. The second rule has no "to P", for the kernel's "not" turns
// the whole rule round: "not (to P and MARK)" would take marked packets to other prefixes. And a level needs its own
// table, for an unreachable route of a shorter prefix would end the search before that prefix's exceptions are judged.
#ifndef OS_NETLINK_ROUTES_H
#define OS_NETLINK_ROUTES_H

#include "os/netlink/netlink.h"

enum {
    ROUTES_MARK = 0x7573,   // "us"
    ROUTES_LEVELS = 16,     // different prefix lengths of one family
    ROUTES_SLOTS = 64,      // plans at once on one host
    ROUTES_TABLE = 30067,   // of slot 0 and its longest prefixes; one up for each slot, ROUTES_SLOTS for a level
    ROUTES_PRIORITY = 7500, // first of slot 0
    ROUTES_PRIORITIES = 2 * ROUTES_LEVELS, // of a slot
};

// Metric of the unreachable routes: behind whatever else may be in the table.
#define ROUTES_LAST_RESORT UINT32_C(4278198272)

struct routes {
    struct netlink_route *routes;
    size_t route_count;
    struct netlink_rule *rules;
    size_t rule_count;
};

// A prefix, and the TUN device that it is captured by.
struct routes_target {
    struct prefix to;
    unsigned ifindex; // 0: there is none at the moment, and it fails
};

// The targets have no more than ROUTES_LEVELS different lengths. `congestion` as in struct netlink_route, borrowed.
void routes_plan(struct routes *plan, const struct routes_target *targets, size_t count, unsigned slot,
                 const char *congestion);
void routes_fini(struct routes *plan);

// Routes first, then the rules that lead to them.
bool routes_install(const struct routes *plan, struct netlink *nl, struct fault *fault);
// Puts back what is missing; returns how many, or -1 with a fault.
int routes_repair(const struct routes *plan, struct netlink *nl, struct fault *fault);
// What `before` has and `now` has not goes, once all of `now` is in place: at no moment is anything that both have not
// captured.
bool routes_replace(const struct routes *before, const struct routes *now, struct netlink *nl, struct fault *fault);
// Removes everything a slot may hold.
bool routes_purge(unsigned slot, struct netlink *nl, struct fault *fault);
// The same of a set of slots, bit n is slot n.
bool routes_purge_slots(uint64_t slots, struct netlink *nl, struct fault *fault);

#endif
