// SPDX-License-Identifier: GPL-2.0-or-later
// The routing plan as a value: fail closed, longest prefix first, the link outside, slots apart.
#include "os/netlink/routes.h"
#include "unit.h"

#include <sys/socket.h>

static struct prefix prefix(const char *text)
{
    struct prefix out;
    assert_true(prefix_parse(&out, text));
    return out;
}

static struct routes plan_of(unsigned slot, const char *a, const char *b, const char *c)
{
    const struct routes_target targets[] = {{prefix(a), 42}, {prefix(b), 42}, {prefix(c), 42}};
    struct routes plan;
    routes_plan(&plan, targets, COUNT(targets), slot, "cubic");
    return plan;
}

static void test_every_prefix_fails_closed(void **state)
{
    (void)state;
    struct routes plan = plan_of(0, "10.0.0.0/8", "10.73.0.0/24", "fd73::/64");
    assert_int_equal(plan.route_count, 6);
    for (size_t i = 0; i < plan.route_count; i += 2) {
        const struct netlink_route *last = &plan.routes[i], *first = &plan.routes[i + 1];
        assert_true(last->unreachable && last->ifindex == 0 && last->metric == ROUTES_LAST_RESORT);
        assert_true(!first->unreachable && first->ifindex == 42 && first->metric < last->metric);
        assert_string_equal(first->congestion, "cubic");
        assert_true(address_equal(&first->to.addr, &last->to.addr) && first->to.len == last->to.len);
        assert_int_equal(first->table, last->table);
    }
    routes_fini(&plan);
}

// The table that a packet to `dst` is looked up in, by the rules in their order: 254 when a route of the main table with
// `main_len` bits is the one that covers it, 0 when no rule takes it.
static uint32_t walk(const struct routes *plan, const char *dst, int main_len, uint32_t mark)
{
    struct address addr;
    assert_true(address_parse(&addr, dst));
    int family = addr.version == 4 ? AF_INET : AF_INET6;
    for (uint32_t priority = 0; priority < 32766; priority++)
        for (size_t i = 0; i < plan->rule_count; i++) {
            const struct netlink_rule *rule = &plan->rules[i];
            bool match = (!rule->to.addr.version || prefix_contains(&rule->to, &addr)) &&
                         (!rule->fwmark || rule->fwmark == mark);
            if (rule->priority != priority || rule->family != family || match == rule->invert) // as the kernel does
                continue;
            if (rule->table == 254 && main_len > rule->suppress_prefixlen)
                return 254;
            for (size_t r = 0; r < plan->route_count; r++)
                if (plan->routes[r].table == rule->table && prefix_contains(&plan->routes[r].to, &addr))
                    return rule->table;
        }
    return 0;
}

static void test_what_is_captured(void **state)
{
    (void)state;
    static const struct {
        const char *dst;
        int main_len; // of the main table's longest route to it; -1: none
        uint32_t mark;
        int level; // that takes it; -1: the main table, -2: nobody
    } cases[] = {
        {"10.73.0.9", -1, 0, 0},
        {"10.73.0.9", 31, 0, 0},  // a whole address has no exceptions
        {"10.73.0.5", 8, 0, 1},   // the tunnel's /24 is longer
        {"10.73.0.5", 24, 0, 1},  // as long: the tunnel's
        {"10.73.0.5", 25, 0, -1}, // the host's own
        {"10.1.0.2", 0, 0, 2},
        {"10.1.0.2", 24, 0, -1},
        {"10.1.0.2", -1, 0, 2},
        {"192.0.2.1", 0, 0, -2},
        {"10.1.0.2", 0, ROUTES_MARK, -2}, // the link, wherever the gate is
        {"10.73.0.5", 0, ROUTES_MARK, -2},
        {"10.73.0.9", 0, ROUTES_MARK, -2},
        {"10.1.0.2", 0, ROUTES_MARK + 1, 2},
        {"fd73::1", 0, 0, -2},
    };
    struct routes plan = plan_of(3, "10.0.0.0/8", "10.73.0.0/24", "10.73.0.9/32");
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t table = walk(&plan, cases[i].dst, cases[i].main_len, cases[i].mark);
        uint32_t expected = cases[i].level == -1   ? 254
                            : cases[i].level == -2 ? 0
                                                   : ROUTES_TABLE + 3 + (uint32_t)cases[i].level * ROUTES_SLOTS;
        if (table != expected)
            fail_msg("case %zu, %s: table %u instead of %u", i, cases[i].dst, table, expected);
    }
    routes_fini(&plan);

    plan = plan_of(0, "0.0.0.0/0", "::/0", "fd73::/64");
    assert_int_equal(walk(&plan, "192.0.2.1", 0, 0), ROUTES_TABLE);
    assert_int_equal(walk(&plan, "192.0.2.1", 24, 0), 254);
    assert_int_equal(walk(&plan, "192.0.2.1", 0, ROUTES_MARK), 0);
    assert_int_equal(walk(&plan, "fd73::1", 0, 0), ROUTES_TABLE);
    assert_int_equal(walk(&plan, "2001:db8::1", 0, 0), ROUTES_TABLE + ROUTES_SLOTS);
    routes_fini(&plan);
}

// Whatever the prefixes, a slot's rules stay within its own range and before the main table's rule (32766), and no two
// slots share a table.
static void test_slots_are_apart(void **state)
{
    (void)state;
    struct routes_target targets[ROUTES_LEVELS];
    for (unsigned i = 0; i < ROUTES_LEVELS; i++)
        targets[i] = (struct routes_target){.to = {.addr = {.version = 4}, .len = (uint8_t)i}, .ifindex = 42};
    for (unsigned slot = 0; slot < ROUTES_SLOTS; slot++) {
        struct routes plan;
        routes_plan(&plan, targets, ROUTES_LEVELS, slot, NULL);
        uint32_t first = ROUTES_PRIORITY + slot * ROUTES_PRIORITIES;
        for (size_t i = 0; i < plan.rule_count; i++) {
            assert_in_range(plan.rules[i].priority, first, first + ROUTES_PRIORITIES - 1);
            assert_true(plan.rules[i].priority < 32766);
        }
        for (size_t i = 0; i < plan.route_count; i++)
            assert_int_equal((plan.routes[i].table - ROUTES_TABLE) % ROUTES_SLOTS, slot);
        routes_fini(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_prefix_fails_closed),
        cmocka_unit_test(test_what_is_captured),
        cmocka_unit_test(test_slots_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
