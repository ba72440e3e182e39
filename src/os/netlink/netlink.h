// SPDX-License-Identifier: GPL-2.0-or-later
// Interfaces, addresses, routes and policy rules by libnl, and news of their changes.
#ifndef OS_NETLINK_NETLINK_H
#define OS_NETLINK_NETLINK_H

#include "base/address.h"
#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

struct netlink;

struct netlink *netlink_new(struct fault *fault);
void netlink_free(struct netlink *nl);

// Sets MTU and queue length (packets) and brings the interface up.
bool netlink_link_up(struct netlink *nl, unsigned ifindex, uint32_t mtu, uint32_t txqueuelen, struct fault *fault);
bool netlink_address_add(struct netlink *nl, unsigned ifindex, const struct prefix *address, struct fault *fault);

struct netlink_route {
    struct prefix to;
    uint32_t table;
    uint32_t metric;        // 0 is the kernel's default
    unsigned ifindex;       // 0 with `unreachable`
    bool unreachable;       // RTN_UNREACHABLE: fails closed when the device is gone
    const char *congestion; // RTAX_CC_ALGO of the route, or NULL
    struct address source;  // preferred source (RTA_PREFSRC), version 0 is none
};
// Adding what is there already is no error; a route of the same prefix, metric and table is replaced.
bool netlink_route_add(struct netlink *nl, const struct netlink_route *route, struct fault *fault);

struct netlink_rule {
    int family; // AF_INET or AF_INET6
    uint32_t priority;
    struct prefix to; // version 0: everything
    uint32_t table;
    uint32_t fwmark;        // 0: any
    bool invert;            // "not fwmark"
    int suppress_prefixlen; // -1: none. Ignore routes of the table with a prefix as short as this or shorter
};
bool netlink_rule_add(struct netlink *nl, const struct netlink_rule *rule, struct fault *fault);

// What an earlier run left behind goes: for both families every rule that looks up `table`, every rule whose priority
// lies in [first, last], and every route in `table`. Refuses the tables of the system (0, 253 to 255).
bool netlink_table_purge(struct netlink *nl, uint32_t table, uint32_t first, uint32_t last, struct fault *fault);
// Whether every given rule and route is in place; the caller puts back what is not.
// One that is gone already is no error.
bool netlink_rule_delete(struct netlink *nl, const struct netlink_rule *rule, struct fault *fault);
bool netlink_route_delete(struct netlink *nl, const struct netlink_route *route, struct fault *fault);
bool netlink_rule_exists(struct netlink *nl, const struct netlink_rule *rule);
bool netlink_route_exists(struct netlink *nl, const struct netlink_route *route);

// What is local to this host (RTN_LOCAL of table local, every family): its addresses, and prefixes that it answers for
// as a whole (127.0.0.0/8, AnyIP); returns how many were stored.
size_t netlink_local_prefixes(struct netlink *nl, struct prefix *room, size_t max);

enum { NETLINK_UPLINKS_MAX = 8 };
// The interfaces that default routes of the main table lead to, that of the lowest metric first; returns how many were
// stored, each once.
size_t netlink_uplinks(struct netlink *nl, uint8_t version, unsigned *room, size_t max);

// Where this host sends what goes to an address and has no mark.
struct netlink_way {
    bool found;
    bool local; // to itself
    unsigned ifindex;
    uint32_t table;
    struct prefix route;        // by which; of all zeros where the kernel does not say (before 4.20)
    struct address via, source; // version 0: none
};
// 0, or an errno: why it is sent nowhere, ENETUNREACH, EHOSTUNREACH.
int netlink_way_to(struct netlink *nl, const struct address *to, struct netlink_way *out);

// News: a descriptor to poll for reading, and the reading of it, which takes all that waits and says what kinds of
// thing changed. Own changes are reported too; after news were lost, every kind is. (Not NETLINK_ROUTE and so on:
// linux/netlink.h has a macro of that name.)
enum netlink_change {
    NETLINK_CHANGED_LINK = 1,
    NETLINK_CHANGED_ADDRESS = 2,
    NETLINK_CHANGED_ROUTE = 4,
    NETLINK_CHANGED_RULE = 8
};
int netlink_watch(struct netlink *nl, struct fault *fault); // the descriptor, or -1
unsigned netlink_watch_read(struct netlink *nl);            // a set of enum netlink_change; 0 when nothing was waiting

#endif
