// SPDX-License-Identifier: GPL-2.0-or-later
// Links, addresses, routes and rules of a network namespace of our own, checked by asking the kernel with ip(8)'s
// question where our own reading could share a mistake with our writing.
#include "os/netlink/netlink.h"
#include "os/tun/tun.h"
#include "unit.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TABLE = 51820, FIRST = 5200, LAST = 5299 };

static bool alone;
static struct netlink *nl;
static struct tun tun;

static int enter(void **state)
{
    (void)state;
    struct fault fault;
    if (unshare(CLONE_NEWNET) < 0)
        return 0;
    nl = netlink_new(&fault);
    alone = nl && tun_open(&tun, "nl0", &fault) && netlink_link_up(nl, tun.index, 1400, 321, &fault) &&
            netlink_link_up(nl, if_nametoindex("lo"), 65536, 1000, &fault);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tun_close(&tun);
    netlink_free(nl);
    return 0;
}

static void need_namespace(void)
{
    if (alone)
        return;
    print_message("no permission for a network namespace, or no /dev/net/tun\n");
    skip();
}

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        struct fault fault = {""};                                                                                     \
        if (!(call))                                                                                                   \
            fail_msg("%s", fault.text);                                                                                \
    } while (0)

static struct prefix prefix(const char *text)
{
    struct prefix out;
    assert_true(prefix_parse(&out, text));
    return out;
}

// What ip(8) prints for a question.
static const char *ip(const char *question)
{
    static char answer[8192];
    char command[256];
    snprintf(command, sizeof(command), "ip %s 2>&1", question);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    answer[fread(answer, 1, sizeof(answer) - 1, pipe)] = '\0';
    pclose(pipe);
    return answer;
}

static void assert_says(const char *question, const char *part)
{
    const char *answer = ip(question);
    if (!strstr(answer, part))
        fail_msg("ip %s: \"%s\" is not in\n%s", question, part, answer);
}

static void assert_silent_on(const char *question, const char *part)
{
    const char *answer = ip(question);
    if (strstr(answer, part))
        fail_msg("ip %s: \"%s\" is in\n%s", question, part, answer);
}

static void links_and_addresses(void **state)
{
    (void)state;
    need_namespace();
    assert_says("link show nl0", "mtu 1400");
    assert_says("link show nl0", "qlen 321");
    assert_says("link show nl0", ",UP");

    static const char *const texts[] = {"10.99.0.2", "fd99::2"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct prefix own = prefix(texts[i]);
        TRY(netlink_address_add(nl, tun.index, &own, &fault));
        TRY(netlink_address_add(nl, tun.index, &own, &fault)); // again is no error
    }
    assert_says("-4 addr show nl0", "inet 10.99.0.2/32");
    assert_says("-6 addr show nl0", "inet6 fd99::2/128");
    assert_silent_on("-6 addr show nl0", "tentative");
}

static void trouble_with_a_link_names_it(void **state)
{
    (void)state;
    need_namespace();
    struct fault fault;
    assert_false(netlink_link_up(nl, tun.index, 70000, 500, &fault));
    assert_non_null(strstr(fault.text, "interface nl0: set MTU 70000"));
    assert_false(netlink_link_up(nl, 9999, 1500, 500, &fault));
    assert_non_null(strstr(fault.text, "No such device"));
}

static void local_prefixes_are_found(void **state)
{
    (void)state;
    need_namespace();
    const struct prefix own4 = prefix("10.99.0.2"), own6 = prefix("fd99::2");
    TRY(netlink_address_add(nl, tun.index, &own4, &fault));
    TRY(netlink_address_add(nl, tun.index, &own6, &fault));
    assert_int_equal(system("ip route add local 10.98.0.0/16 dev nl0"), 0); // AnyIP
    const struct prefix wanted[] = {own4, own6, prefix("::1"), prefix("10.98.0.0/16")};
    struct prefix found[32];
    size_t seen = 0;
    // The kernel adds the route to an IPv6 address when it gets to it.
    for (int tries = 0; tries < 500 && seen < COUNT(wanted); tries++) {
        size_t count = netlink_local_prefixes(nl, found, COUNT(found));
        seen = 0;
        for (size_t i = 0; i < count; i++) {
            char text[PREFIX_TEXT_SIZE];
            CASE(prefix_text(&found[i], text), found[i].addr.bytes[0] != 0xff); // multicast is not local
            for (size_t w = 0; w < COUNT(wanted); w++)
                seen += found[i].len == wanted[w].len && address_equal(&found[i].addr, &wanted[w].addr);
        }
        usleep(seen < COUNT(wanted) ? 10000 : 0);
    }
    assert_int_equal(seen, COUNT(wanted));
    assert_int_equal(netlink_local_prefixes(nl, found, 1), 1);
    assert_int_equal(system("ip route delete local 10.98.0.0/16 dev nl0"), 0);
}

static void a_route_is_added_found_and_purged(void **state)
{
    (void)state;
    need_namespace();
    static const struct {
        const char *to;
        uint32_t metric;
        bool unreachable;
        const char *question;
        const char *shown;
    } cases[] = {
        {"10.73.0.0/24", 0, false, "-4 route show table 51820", "10.73.0.0/24 dev nl0 proto static scope link"},
        {"10.73.0.0/24", 4000, true, "-4 route show table 51820", "unreachable 10.73.0.0/24 proto static metric 4000"},
        {"0.0.0.0/0", 7, false, "-4 route show table 51820", "default dev nl0 proto static scope link metric 7"},
        {"fd73::/64", 0, false, "-6 route show table 51820", "fd73::/64 dev nl0 proto static metric 1024"},
        {"fd73::/64", 4000, true, "-6 route show table 51820", "unreachable fd73::/64 dev lo proto static metric 4000"},
        {"::/0", 9, false, "-6 route show table 51820", "default dev nl0 proto static metric 9"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct netlink_route route = {.to = prefix(cases[i].to),
                                            .table = TABLE,
                                            .metric = cases[i].metric,
                                            .ifindex = cases[i].unreachable ? 0 : tun.index,
                                            .unreachable = cases[i].unreachable};
        CASE(cases[i].to, !netlink_route_exists(nl, &route));
        TRY(netlink_route_add(nl, &route, &fault));
        TRY(netlink_route_add(nl, &route, &fault));
        CASE(cases[i].to, netlink_route_exists(nl, &route));
        assert_says(cases[i].question, cases[i].shown);
        struct netlink_route other = route;
        other.metric = 77;
        CASE(cases[i].to, !netlink_route_exists(nl, &other));
        other = route;
        other.table = TABLE + 1;
        CASE(cases[i].to, !netlink_route_exists(nl, &other));
        other = route;
        other.unreachable = !route.unreachable;
        CASE(cases[i].to, !netlink_route_exists(nl, &other));
        TRY(netlink_route_delete(nl, &other, &fault)); // is not there
        CASE(cases[i].to, netlink_route_exists(nl, &route));
        TRY(netlink_route_delete(nl, &route, &fault));
        CASE(cases[i].to, !netlink_route_exists(nl, &route));
        TRY(netlink_route_add(nl, &route, &fault));
        TRY(netlink_table_purge(nl, TABLE, FIRST, LAST, &fault));
        CASE(cases[i].to, !netlink_route_exists(nl, &route));
    }
}

static void a_route_carries_its_attributes(void **state)
{
    (void)state;
    need_namespace();
    struct prefix own = prefix("10.99.0.2");
    TRY(netlink_address_add(nl, tun.index, &own, &fault));
    struct netlink_route route = {
        .to = prefix("10.74.0.0/16"), .table = TABLE, .ifindex = tun.index, .congestion = "reno", .source = own.addr};
    TRY(netlink_route_add(nl, &route, &fault));
    assert_says("-4 route show table 51820", "src 10.99.0.2");
    assert_says("-4 route show table 51820", "congctl reno");
    TRY(netlink_table_purge(nl, TABLE, FIRST, LAST, &fault));

    struct fault fault;
    route.congestion = "no-such-thing";
    assert_false(netlink_route_add(nl, &route, &fault));
    assert_non_null(strstr(fault.text, "route 10.74.0.0/16 in table 51820: add: "));
}

static const struct {
    const char *to;
    uint32_t priority, fwmark, table;
    bool invert;
    int suppress;
    const char *shown;
} rules[] = {
    {NULL, 5200, 0x7573, TABLE, true, -1, "5200:\tnot from all fwmark 0x7573 lookup 51820 proto static"},
    {NULL, 5201, 0, 254, false, 0, "5201:\tfrom all lookup main suppress_prefixlength 0 proto static"},
    {"v4", 5202, 0, 254, false, -1, "5202:\tfrom all to 192.0.2.7 lookup main proto static"},
    {NULL, 5203, 0x7573, 254, false, -1, "5203:\tfrom all fwmark 0x7573 lookup main proto static"},
};

static struct netlink_rule rule_of(size_t i, int family)
{
    struct netlink_rule rule = {.family = family,
                                .priority = rules[i].priority,
                                .table = rules[i].table,
                                .fwmark = rules[i].fwmark,
                                .invert = rules[i].invert,
                                .suppress_prefixlen = rules[i].suppress};
    if (rules[i].to)
        rule.to = family == AF_INET6 ? prefix("2001:db8::7") : prefix("192.0.2.7");
    return rule;
}

static void a_rule_is_added_once_and_found(void **state)
{
    (void)state;
    need_namespace();
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t f = 0; f < COUNT(families); f++) {
        const char *question = families[f] == AF_INET6 ? "-6 rule show" : "-4 rule show";
        for (size_t i = 0; i < COUNT(rules); i++) {
            const struct netlink_rule rule = rule_of(i, families[f]);
            CASE(rules[i].shown, !netlink_rule_exists(nl, &rule));
            TRY(netlink_rule_add(nl, &rule, &fault));
            TRY(netlink_rule_add(nl, &rule, &fault));
            CASE(rules[i].shown, netlink_rule_exists(nl, &rule));
            if (families[f] == AF_INET)
                assert_says(question, rules[i].shown);
            struct netlink_rule other = rule;
            other.priority++;
            TRY(netlink_rule_delete(nl, &other, &fault)); // is not there
            CASE(rules[i].shown, netlink_rule_exists(nl, &rule));
            TRY(netlink_rule_delete(nl, &rule, &fault));
            CASE(rules[i].shown, !netlink_rule_exists(nl, &rule));
            TRY(netlink_rule_add(nl, &rule, &fault));
            char deletion[64];
            snprintf(deletion, sizeof(deletion), "-%d rule del priority %u", families[f] == AF_INET6 ? 6 : 4,
                     rule.priority);
            ip(deletion);
            CASE(rules[i].shown, !netlink_rule_exists(nl, &rule)); // so it was there once only
        }
    }
}

static void a_rule_that_differs_is_another(void **state)
{
    (void)state;
    need_namespace();
    const struct netlink_rule rule = rule_of(0, AF_INET);
    TRY(netlink_rule_add(nl, &rule, &fault));
    struct netlink_rule other = rule;
    other.invert = false;
    assert_false(netlink_rule_exists(nl, &other));
    other = rule;
    other.fwmark++;
    assert_false(netlink_rule_exists(nl, &other));
    other = rule;
    other.table++;
    assert_false(netlink_rule_exists(nl, &other));
    other = rule;
    other.suppress_prefixlen = 0;
    assert_false(netlink_rule_exists(nl, &other));
    other = rule;
    other.family = AF_INET6;
    assert_false(netlink_rule_exists(nl, &other));
    TRY(netlink_table_purge(nl, TABLE, FIRST, LAST, &fault));
}

static void purge_takes_ours_and_nothing_else(void **state)
{
    (void)state;
    need_namespace();
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t f = 0; f < COUNT(families); f++) {
        for (size_t i = 0; i < COUNT(rules); i++) {
            const struct netlink_rule rule = rule_of(i, families[f]);
            TRY(netlink_rule_add(nl, &rule, &fault));
        }
    }
    static const char *const targets[] = {"10.73.0.0/24", "10.74.0.0/24", "fd73::/64", "::/0"};
    for (size_t i = 0; i < 2 * COUNT(targets); i++) {
        const struct netlink_route route = {.to = prefix(targets[i / 2]),
                                            .table = TABLE,
                                            .metric = i % 2 ? 4000 : 10,
                                            .ifindex = i % 2 ? 0 : tun.index,
                                            .unreachable = i % 2};
        TRY(netlink_route_add(nl, &route, &fault));
    }
    ip("rule add priority 5300 table 51821"); // a neighbour's
    ip("rule add priority 777 table 51820");  // ours by its table
    ip("route add 10.75.0.0/24 dev nl0 table 51821");

    TRY(netlink_table_purge(nl, TABLE, FIRST, LAST, &fault));
    TRY(netlink_table_purge(nl, TABLE, FIRST, LAST, &fault)); // of nothing
    static const char *const questions[] = {"-4 rule show", "-6 rule show"};
    for (size_t i = 0; i < COUNT(questions); i++) {
        assert_silent_on(questions[i], "51820");
        assert_silent_on(questions[i], "52");
        assert_says(questions[i], "32766:\tfrom all lookup main");
    }
    assert_silent_on("-4 route show table 51820", "10.");
    assert_silent_on("-6 route show table 51820", "fd73");
    assert_silent_on("-6 route show table 51820", "default");
    assert_says("-4 rule show", "5300:\tfrom all lookup 51821");
    assert_says("-4 route show table 51821", "10.75.0.0/24");
}

static void tables_of_the_system_are_not_purged(void **state)
{
    (void)state;
    need_namespace();
    static const uint32_t tables[] = {0, 253, 254, 255};
    for (size_t i = 0; i < COUNT(tables); i++) {
        struct fault fault = {""};
        assert_false(netlink_table_purge(nl, tables[i], FIRST, LAST, &fault));
        assert_non_null(strstr(fault.text, "belongs to the system"));
    }
    assert_says("-4 rule show", "lookup main");
}

static unsigned news(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    return poll(&wanted, 1, 2000) == 1 ? netlink_watch_read(nl) : 0;
}

static void news_comes_by_kind(void **state)
{
    (void)state;
    need_namespace();
    struct fault fault;
    int fd = netlink_watch(nl, &fault);
    assert_true(fd >= 0);
    assert_int_equal(netlink_watch(nl, &fault), fd);
    netlink_watch_read(nl);
    assert_int_equal(netlink_watch_read(nl), 0); // drained, and does not wait

    static const struct {
        const char *change;
        unsigned kinds; // at least
    } cases[] = {
        {"link set nl0 mtu 1380", NETLINK_CHANGED_LINK},
        {"addr add 10.98.0.1/32 dev nl0", NETLINK_CHANGED_ADDRESS},
        {"addr add fd98::1/128 dev nl0", NETLINK_CHANGED_ADDRESS},
        {"route add 10.97.0.0/24 dev nl0", NETLINK_CHANGED_ROUTE},
        {"-6 route add fd97::/64 dev nl0", NETLINK_CHANGED_ROUTE},
        {"rule add priority 900 table 51821", NETLINK_CHANGED_RULE},
        {"-6 rule add priority 900 table 51821", NETLINK_CHANGED_RULE},
        {"rule del priority 900", NETLINK_CHANGED_RULE},
        {"route del 10.97.0.0/24", NETLINK_CHANGED_ROUTE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ip(cases[i].change);
        CASE(cases[i].change, (news(fd) & cases[i].kinds) == cases[i].kinds);
        CASE(cases[i].change, netlink_watch_read(nl) == 0);
    }
}

static void lost_news_means_everything_may_have_changed(void **state)
{
    (void)state;
    need_namespace();
    struct fault fault;
    int fd = netlink_watch(nl, &fault);
    int small = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    struct netlink_route route = {.to = prefix("10.96.0.0/24"), .table = TABLE, .ifindex = tun.index};
    for (int i = 0; i < 100; i++) {
        TRY(netlink_route_add(nl, &route, &fault));
        TRY(netlink_table_purge(nl, TABLE, FIRST, LAST, &fault));
    }
    assert_int_equal(news(fd),
                     NETLINK_CHANGED_LINK | NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_ROUTE | NETLINK_CHANGED_RULE);
    assert_int_equal(netlink_watch_read(nl), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_and_addresses),
        cmocka_unit_test(trouble_with_a_link_names_it),
        cmocka_unit_test(local_prefixes_are_found),
        cmocka_unit_test(a_route_is_added_found_and_purged),
        cmocka_unit_test(a_route_carries_its_attributes),
        cmocka_unit_test(a_rule_is_added_once_and_found),
        cmocka_unit_test(a_rule_that_differs_is_another),
        cmocka_unit_test(purge_takes_ours_and_nothing_else),
        cmocka_unit_test(tables_of_the_system_are_not_purged),
        cmocka_unit_test(news_comes_by_kind),
        cmocka_unit_test(lost_news_means_everything_may_have_changed),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
