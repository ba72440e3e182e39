// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: the order of the plan is the order in which it is safe to install: for each prefix the unreachable route
// before the one into the device, all routes before the rules that lead to them.

#include "os/netlink/routes.h"

#include "base/memory.h"

#include <stdlib.h>
#include <sys/socket.h>

enum { TABLE_MAIN = 254 }; // RT_TABLE_MAIN of linux/rtnetlink.h

// What is to be captured.
struct targets {
    const struct routes_target *items;
    size_t count;
};

static bool is_level(const struct targets *targets, uint8_t version, unsigned len)
{
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].to.addr.version == version && targets->items[i].to.len == len)
            return true;
    return false;
}

// How many levels come before the prefixes of this length.
static unsigned level_of(const struct targets *targets, uint8_t version, unsigned len)
{
    unsigned level = 0;
    for (unsigned longer = len + 1; longer <= 128; longer++)
        level += is_level(targets, version, longer);
    return level;
}

static uint32_t table_of(unsigned slot, unsigned level)
{
    return ROUTES_TABLE + slot + level * ROUTES_SLOTS;
}

static uint32_t priority_of(unsigned slot, unsigned level)
{
    return ROUTES_PRIORITY + slot * ROUTES_PRIORITIES + 2 * level;
}

static int family_of(uint8_t version)
{
    return version == 4 ? AF_INET : AF_INET6;
}

static void plan_prefix(struct routes *plan, const struct prefix *to, unsigned slot, unsigned level, unsigned ifindex,
                        const char *congestion)
{
    plan->routes[plan->route_count++] = (struct netlink_route){
        .to = *to,
        .table = table_of(slot, level),
        .metric = ROUTES_LAST_RESORT,
        .unreachable = true,
    };
    if (ifindex)
        plan->routes[plan->route_count++] = (struct netlink_route){
            .to = *to,
            .table = table_of(slot, level),
            .ifindex = ifindex,
            .congestion = congestion,
        };
    if (to->len < (to->addr.version == 4 ? 32 : 128)) // nothing is more specific than a whole address
        plan->rules[plan->rule_count++] = (struct netlink_rule){
            .family = family_of(to->addr.version),
            .priority = priority_of(slot, level),
            .to = *to,
            .table = TABLE_MAIN,
            .suppress_prefixlen = to->len,
        };
}

static void plan_level(struct routes *plan, uint8_t version, unsigned slot, unsigned level)
{
    plan->rules[plan->rule_count++] = (struct netlink_rule){
        .family = family_of(version),
        .priority = priority_of(slot, level) + 1,
        .table = table_of(slot, level),
        .fwmark = ROUTES_MARK,
        .invert = true,
        .suppress_prefixlen = -1,
    };
}

static void plan_family(struct routes *plan, const struct targets *targets, uint8_t version, unsigned slot)
{
    for (unsigned len = 0; len <= 128; len++)
        if (is_level(targets, version, len))
            plan_level(plan, version, slot, level_of(targets, version, len));
}

void routes_plan(struct routes *plan, const struct routes_target *targets, size_t count, unsigned slot,
                 const char *congestion)
{
    const struct targets all = {targets, count};
    size_t most_rules = count + 2 * ROUTES_LEVELS;
    *plan = (struct routes){
        .routes = memory_new((2 * count + 1) * sizeof(*plan->routes)),
        .rules = memory_new(most_rules * sizeof(*plan->rules)),
    };
    for (size_t i = 0; i < count; i++) {
        const struct prefix *to = &targets[i].to;
        plan_prefix(plan, to, slot, level_of(&all, to->addr.version, to->len), targets[i].ifindex, congestion);
    }
    plan_family(plan, &all, 4, slot);
    plan_family(plan, &all, 6, slot);
}

void routes_fini(struct routes *plan)
{
    free(plan->routes);
    free(plan->rules);
    *plan = (struct routes){0};
}

bool routes_install(const struct routes *plan, struct netlink *nl, struct fault *fault)
{
    for (size_t i = 0; i < plan->route_count; i++)
        if (!netlink_route_add(nl, &plan->routes[i], fault))
            return false;
    for (size_t i = 0; i < plan->rule_count; i++)
        if (!netlink_rule_add(nl, &plan->rules[i], fault))
            return false;
    return true;
}

int routes_repair(const struct routes *plan, struct netlink *nl, struct fault *fault)
{
    int repaired = 0;
    for (size_t i = 0; i < plan->route_count; i++) {
        if (netlink_route_exists(nl, &plan->routes[i]))
            continue;
        if (!netlink_route_add(nl, &plan->routes[i], fault))
            return -1;
        repaired++;
    }
    for (size_t i = 0; i < plan->rule_count; i++) {
        if (netlink_rule_exists(nl, &plan->rules[i]))
            continue;
        if (!netlink_rule_add(nl, &plan->rules[i], fault))
            return -1;
        repaired++;
    }
    return repaired;
}

static bool is_same(const struct prefix *a, const struct prefix *b)
{
    return a->len == b->len && a->addr.version == b->addr.version &&
           (!a->addr.version || address_equal(&a->addr, &b->addr));
}

static bool has_route(const struct routes *plan, const struct netlink_route *route)
{
    for (size_t i = 0; i < plan->route_count; i++) {
        const struct netlink_route *own = &plan->routes[i];
        if (is_same(&own->to, &route->to) && own->table == route->table && own->unreachable == route->unreachable)
            return true;
    }
    return false;
}

static bool has_rule(const struct routes *plan, const struct netlink_rule *rule)
{
    for (size_t i = 0; i < plan->rule_count; i++) {
        const struct netlink_rule *own = &plan->rules[i];
        if (own->family == rule->family && own->priority == rule->priority && own->table == rule->table &&
            is_same(&own->to, &rule->to))
            return true;
    }
    return false;
}

// Rules first: without one its table is not asked, so no prefix that has moved to another table is ever missed.
bool routes_replace(const struct routes *before, const struct routes *now, struct netlink *nl, struct fault *fault)
{
    if (routes_repair(now, nl, fault) < 0)
        return false;
    for (size_t i = 0; i < before->rule_count; i++)
        if (!has_rule(now, &before->rules[i]) && !netlink_rule_delete(nl, &before->rules[i], fault))
            return false;
    for (size_t i = 0; i < before->route_count; i++)
        if (!has_route(now, &before->routes[i]) && !netlink_route_delete(nl, &before->routes[i], fault))
            return false;
    return true;
}

bool routes_purge(unsigned slot, struct netlink *nl, struct fault *fault)
{
    uint32_t first = priority_of(slot, 0);
    for (unsigned level = 0; level < ROUTES_LEVELS; level++)
        if (!netlink_table_purge(nl, table_of(slot, level), first, first + ROUTES_PRIORITIES - 1, fault))
            return false;
    return true;
}

bool routes_purge_slots(uint64_t slots, struct netlink *nl, struct fault *fault)
{
    for (unsigned slot = 0; slot < ROUTES_SLOTS; slot++)
        if ((slots >> slot & 1) && !routes_purge(slot, nl, fault))
            return false;
    return true;
}
