// SPDX-License-Identifier: GPL-2.0-or-later
// Who may reach what: the grammar of rules, first match, special addresses in every spelling, names.
#include "base/host_name.h"
#include "exchange/policy/policy.h"
#include "unit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

// A policy from text: "+rules" allows and "-rules" denies, in order, one a line.
static struct policy *policy_of(const char *text)
{
    struct policy *policy = policy_new();
    char copy[512];
    struct fault fault;
    assert_true(strlen(text) < sizeof copy);
    strcpy(copy, text);
    for (char *rest = copy, *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (line[0] && !policy_add(policy, line[0] == '+', line + 1, &fault))
            fail_msg("%s: %s", line, fault.text);
    return policy;
}

static bool allows(const struct policy *policy, uint8_t protocol, const char *host, const char *addr, uint16_t port)
{
    struct address address;
    if (!address_parse(&address, addr))
        fail_msg("%s is no address", addr);
    return policy_judge(policy, protocol, host, &address, port) == POLICY_ALLOWED;
}

enum { T = IPPROTO_TCP, U = IPPROTO_UDP, I4 = IPPROTO_ICMP, I6 = IPPROTO_ICMPV6 };

static void test_grammar_good(void **state)
{
    (void)state;
    static const char *const good[] = {
        "10.73.0.0/24",
        "10.73.0.66/32",
        "10.73.0.66",
        "fd73::/64",
        "fd73::1",
        "[fd73::/64]",
        "[fd73::]/64",
        "tcp:fd73::/64",
        "tcp:10.80.0.0/16:443",
        "TCP:10.80.0.0/16:443",
        "udp:[fd73::53]:53",
        "udp:[fd73::/64]:53",
        "udp:[fd73::]/64:53",
        "tcp:*.corp.example:22",
        "tcp:host.example:443",
        "tcp:host.example:8000-8099",
        "tcp:host.example",
        "host.example",
        "*.example",
        "icmp:10.73.0.0/24",
        "icmp:fd73::/64",
        "tcp:10.0.0.0/8:1-65535",
        "tcp:[::ffff:10.0.0.0/104]:80",
        "10.73.0.0/24, fd73::/64",
        " tcp:10.80.0.0/16:443,udp:10.73.0.53:53 , tcp:*.corp.example:22, icmp:10.73.0.0/24 ",
        "0.0.0.0/0, ::/0",
        "tcp:my_host.example:1",
        "tcp:printer:631",
        "127.0.0.0/8",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct policy *policy = policy_new();
        struct fault fault = {0};
        if (!policy_add(policy, true, good[i], &fault))
            fail_msg("%s: %s", good[i], fault.text);
        policy_free(policy);
    }
}

static void test_grammar_bad(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        const char *says; // a piece of the sentence
    } bad[] = {
        {"", "a rule is missing"},
        {"10.0.0.0/8,", "a rule is missing"},
        {"10.0.0.0/8,,fd00::/8", "a rule is missing"},
        {"10.73.0.1/24", "write 10.73.0.0/24, or 10.73.0.1 alone"},
        {"fd73::1/64", "write fd73::/64, or fd73::1 alone"},
        {"10.0.0.0/33", "not a number from 0 to 32"},
        {"fd73::/129", "not a number from 0 to 128"},
        {"10.0.0.0/", "not a number from 0 to 32"},
        {"10.0.0.0/8x", "not a number from 0 to 32"},
        {"10.0.0.0/-1", "not a number from 0 to 32"},
        {"10.0.0/8", "\"10.0.0\" is no address"},
        {"10.0.0.256", "\"10.0.0.256\" is no address"},
        {"127.1", "\"127.1\" is no address"},
        {"010.0.0.1", "\"010.0.0.1\" is no address"},
        {"0x7f.1", "neither an address nor a host name"},
        {"10.0.0.0/8:443", "a port needs its protocol in front, such as tcp:10.0.0.0/8:443"},
        {"host.example:443", "a port needs its protocol in front"},
        {"sctp:10.0.0.0/8", "\"sctp\" is no protocol"},
        {"icmpv6:fd73::/64", "icmp (which covers ICMPv6)"},
        {"icmp:10.0.0.0/8:7", "only tcp and udp have ports"},
        {"icmp:[fd73::]:7", "only tcp and udp have ports"},
        {"tcp:10.0.0.0/8:0", "\"0\" is no port"},
        {"tcp:10.0.0.0/8:65536", "\"65536\" is no port"},
        {"tcp:10.0.0.0/8:", "\"\" is no port"},
        {"tcp:10.0.0.0/8:http", "\"http\" is no port"},
        {"tcp:10.0.0.0/8:80-", "\"\" is no port"},
        {"tcp:10.0.0.0/8:-80", "\"\" is no port"},
        {"tcp:10.0.0.0/8:90-80", "runs backwards"},
        {"tcp:10.0.0.0/8:443000000000", "is no port"},
        {"tcp:10.0.0.0/8:4 4", "is no port"},
        {"tcp:[fd73::1:443", "not closed"},
        {"tcp:[fd73::1]443", "may follow the bracket"},
        {"tcp:[10.0.0.1]:443", "brackets are for IPv6"},
        {"tcp:[fd73::1/64]:443", "bits behind the prefix"},
        {"tcp:[fd73::]/129:443", "not a number from 0 to 128"},
        {"tcp:[fd73::1%eth0]:443", "is no address"},
        {"tcp:", "neither an address nor a host name"},
        {"tcp:*:443", "neither an address nor a host name"},
        {"*", "neither an address nor a host name"},
        {"host*.example", "neither an address nor a host name"},
        {"a.*.example", "neither an address nor a host name"},
        {"*.*.example", "neither an address nor a host name"},
        {"-host.example", "neither an address nor a host name"},
        {"host..example", "neither an address nor a host name"},
        {"all", ""},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct policy *policy = policy_new();
        struct fault fault = {0};
        bool added = policy_add(policy, true, bad[i].rule, &fault);
        // "all" is a host name as good as any; it is here to show that it is no keyword.
        if (strcmp(bad[i].rule, "all") == 0)
            CASE("all", added && !allows(policy, T, NULL, "10.0.0.1", 1));
        else if (added || !strstr(fault.text, bad[i].says))
            fail_msg("%s: added %d, says: %s", bad[i].rule, added, fault.text);
        policy_free(policy);
    }
}

static void test_first_match(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        uint8_t protocol;
        const char *addr;
        uint16_t port;
        bool allowed;
    } cases[] = {
        {"", T, "10.0.0.1", 80, false},
        {"+10.73.0.0/24", T, "10.73.0.255", 80, true},
        {"+10.73.0.0/24", U, "10.73.0.0", 65535, true},
        {"+10.73.0.0/24", I4, "10.73.0.1", 7, true},
        {"+10.73.0.0/24", T, "10.73.1.0", 80, false},
        {"+10.73.0.0/24", T, "fd73::1", 80, false},
        {"+10.73.0.0/24", 132, "10.73.0.1", 80, true}, // every protocol; what sessions carry is not decided here
        {"+fd73::/64", T, "fd73::ffff", 80, true},
        {"+fd73::/64", I6, "fd73::1", 80, true},
        {"+fd73::/64", T, "fd73:0:0:1::1", 80, false},
        {"+tcp:10.80.0.0/16:443", T, "10.80.1.1", 443, true},
        {"+tcp:10.80.0.0/16:443", T, "10.80.1.1", 444, false},
        {"+tcp:10.80.0.0/16:443", U, "10.80.1.1", 443, false},
        {"+tcp:10.80.0.0/16:443", I4, "10.80.1.1", 443, false},
        {"+tcp:10.80.0.0/16:8000-8099", T, "10.80.1.1", 8000, true},
        {"+tcp:10.80.0.0/16:8000-8099", T, "10.80.1.1", 8099, true},
        {"+tcp:10.80.0.0/16:8000-8099", T, "10.80.1.1", 7999, false},
        {"+tcp:10.80.0.0/16:8000-8099", T, "10.80.1.1", 8100, false},
        {"+tcp:10.80.0.0/16", T, "10.80.1.1", 1, true},
        {"+tcp:10.80.0.0/16", U, "10.80.1.1", 1, false},
        {"+udp:[fd73::53]:53", U, "fd73::53", 53, true},
        {"+udp:[fd73::53]:53", U, "fd73::54", 53, false},
        {"+icmp:10.73.0.0/24", I4, "10.73.0.9", 4711, true},
        {"+icmp:10.73.0.0/24", T, "10.73.0.9", 80, false},
        {"+icmp:fd73::/64", I6, "fd73::9", 4711, true},
        {"+tcp:10.0.0.0/8:443", I4, "10.0.0.1", 443, false},
        {"-10.73.0.66\n+10.73.0.0/24", T, "10.73.0.66", 80, false},
        {"-10.73.0.66\n+10.73.0.0/24", T, "10.73.0.67", 80, true},
        {"+10.73.0.0/24\n-10.73.0.66", T, "10.73.0.66", 80, true},
        {"-tcp:10.73.0.66:22\n+10.73.0.0/24", T, "10.73.0.66", 80, true},
        {"-0.0.0.0/0\n+10.73.0.0/24", T, "10.73.0.1", 80, false},
        {"+10.0.0.0/8, 172.16.0.0/12", T, "172.31.255.255", 80, true},
        {"+tcp:host.example:443", T, "10.0.0.1", 443, false}, // a name rule says nothing about bare addresses
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy *policy = policy_of(cases[i].rules);
        if (allows(policy, cases[i].protocol, NULL, cases[i].addr, cases[i].port) != cases[i].allowed)
            fail_msg("%s: %s port %u", cases[i].rules, cases[i].addr, cases[i].port);
        policy_free(policy);
    }
}

// Every special address, in every wrapping that some stack or translator would take off again.
static const char *const special[] = {
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "192.0.0.1",
    "192.0.0.192",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "10.73.0.1", // the gate's own
    "::",
    "::1",
    "fe80::1",
    "febf:ffff::1",
    "fec0::1",
    "ff02::1",
    "ff05::2",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd73::1", // the gate's own
    "::ffff:127.0.0.1",
    "::ffff:0.0.0.0",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:100.100.100.200",
    "::ffff:168.63.129.16",
    "::ffff:192.0.0.192",
    "::ffff:224.0.0.1",
    "::ffff:255.255.255.255",
    "::ffff:10.73.0.1",
    "::127.0.0.1",
    "::169.254.169.254",
    "::10.73.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::10.73.0.1",
    "64:ff9b:1::127.0.0.1",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:abcd::169.254.169.254",
    "64:ff9b:1:7f00:0:100::",   // 127.0.0.1 behind 48 bits
    "64:ff9b:1:a9fe:a9:fe00::", // 169.254.169.254
    "2002:7f00:1::",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "2002:a9fe:a9fe::1",
    "2002:a49:1::1",
    "2002::1",
    "2001:0:a00:1:0:ffff:80ff:fffe", // Teredo, client 127.0.0.1
    "2001:0:a00:1:0:ffff:5601:5601", // Teredo, client 169.254.169.254
    "2001:0:a00:1:0:ffff:f5b6:fffe", // Teredo, client 10.73.0.1
};

static void set_local(struct policy *policy)
{
    static const char *const own[] = {"10.73.0.1", "fd73::1", "127.0.0.1", "::1"};
    struct prefix prefixes[COUNT(own)];
    for (size_t i = 0; i < COUNT(own); i++)
        assert_true(prefix_parse(&prefixes[i], own[i]));
    policy_set_local(policy, prefixes, COUNT(own));
}

static void test_special_not_by_wide_rules(void **state)
{
    (void)state;
    static const char *const wide[] = {
        "+0.0.0.0/0, ::/0",
        "+10.0.0.0/8, 0.0.0.0/1, 128.0.0.0/1, ::/1, 8000::/1",
        "+tcp:0.0.0.0/0, udp:0.0.0.0/0, icmp:0.0.0.0/0, tcp:[::/0]:1-65535, udp:::/0, icmp:::/0",
        // As near as it gets from outside: one bit wider than the ranges.
        "+126.0.0.0/7, 0.0.0.0/7, 169.254.0.0/15, 192.0.0.0/23, 224.0.0.0/3, 100.100.100.200/31, 168.63.129.16/31",
        "+10.73.0.0/31, fd73::/127, ::/127, fe80::/9, fe00::/7, fd00:ec2::254/127, fd20:ce::254/127",
        "+host.example, *.example",
        // Wrappings named outright do not open what is inside.
        "+::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48, 2002::/16, 2001::/32, 64:ff9b::7f00:1, 2002:7f00:1::1",
    };
    for (size_t w = 0; w < COUNT(wide); w++) {
        struct policy *policy = policy_of(wide[w]);
        set_local(policy);
        for (size_t i = 0; i < COUNT(special); i++) {
            static const uint8_t protocols[] = {T, U, I4, I6};
            for (size_t p = 0; p < COUNT(protocols); p++) {
                if (allows(policy, protocols[p], NULL, special[i], 80) ||
                    allows(policy, protocols[p], "host.example", special[i], 80))
                    fail_msg("%s allows %s for protocol %u", wide[w], special[i], protocols[p]);
            }
        }
        policy_free(policy);
    }
}

static void test_special_by_exact_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        const char *addr;
        bool allowed;
    } cases[] = {
        {"+127.0.0.1/32", "127.0.0.1", true},
        {"+127.0.0.1", "127.0.0.2", false},
        {"+127.0.0.0/8", "127.0.0.1", true},
        {"+127.0.0.0/8", "127.9.9.9", true},
        {"+::1", "::1", true},
        {"+::1/128", "::", false},
        {"+127.0.0.1", "::ffff:127.0.0.1", true}, // what a socket would take it as
        {"+127.0.0.1, ::/0", "2002:7f00:1::1", true},
        {"+127.0.0.1", "2002:7f00:1::1", false},
        {"+169.254.169.254", "169.254.169.254", true},
        {"+169.254.0.0/16", "169.254.1.1", true},
        {"+169.254.0.0/16", "169.254.169.254", false},
        {"+169.254.0.0/16", "169.254.170.2", false},
        {"+192.0.0.0/24", "192.0.0.9", true},
        {"+192.0.0.0/24", "192.0.0.192", false},
        {"+fe80::/10", "fe80::1", true},
        {"+fd00:ec2::254", "fd00:ec2::254", true},
        {"+10.73.0.1/32", "10.73.0.1", true},
        {"+10.73.0.0/24", "10.73.0.2", true},
        {"+0.0.0.0/0\n+10.73.0.1", "10.73.0.1", true}, // the wide rule is stepped over, not the end
        {"-10.73.0.0/24\n+10.73.0.1", "10.73.0.1", false},
        {"+fd73::1", "fd73::1", true},
        {"+255.255.255.255", "255.255.255.255", true},
        {"+239.0.0.0/8", "239.1.2.3", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy *policy = policy_of(cases[i].rules);
        set_local(policy);
        if (allows(policy, T, NULL, cases[i].addr, 80) != cases[i].allowed)
            fail_msg("%s: %s", cases[i].rules, cases[i].addr);
        policy_free(policy);
    }
}

static void test_wrapped(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        const char *addr;
        bool allowed;
    } cases[] = {
        {"+::/0", "::ffff:10.0.0.5", false}, // IPv4 is judged by the rules for IPv4
        {"+10.0.0.0/8", "::ffff:10.0.0.5", true},
        {"+64:ff9b::/96", "64:ff9b::10.0.0.5", true},
        {"-10.0.0.5\n+::/0", "64:ff9b::10.0.0.5", false}, // a denial reaches into every wrapping
        {"-10.0.0.5\n+::/0", "64:ff9b:1::10.0.0.5", false},
        {"-10.0.0.5\n+::/0", "64:ff9b:1:a00:0:500::", false},
        {"+64:ff9b:1::/48", "64:ff9b:1:a00:0:500::", true},
        {"-10.0.0.5\n+::/0", "2002:a00:5::1", false},
        {"-10.0.0.5\n+::/0, 0.0.0.0/0", "::ffff:10.0.0.5", false},
        {"+10.0.0.0/8", "64:ff9b::10.0.0.5", false}, // an allowance does not
        {"+10.0.0.0/8", "2002:a00:5::1", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy *policy = policy_of(cases[i].rules);
        if (allows(policy, T, NULL, cases[i].addr, 80) != cases[i].allowed)
            fail_msg("%s: %s", cases[i].rules, cases[i].addr);
        policy_free(policy);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        const char *host;
        enum policy_verdict by_name;
        const char *addr; // what it resolves to
        bool allowed;
    } cases[] = {
        {"+tcp:host.example:80", "host.example", POLICY_ALLOWED, "10.0.0.1", true},
        {"+tcp:host.example:80", "HOST.Example", POLICY_ALLOWED, "10.0.0.1", true},
        {"+tcp:Host.EXAMPLE:80", "host.example.", POLICY_ALLOWED, "10.0.0.1", true},
        {"+tcp:host.example.:80", "host.example", POLICY_ALLOWED, "10.0.0.1", true},
        {"+tcp:host.example:81", "host.example", POLICY_DENIED, "10.0.0.1", false},
        {"+udp:host.example", "host.example", POLICY_DENIED, "10.0.0.1", false},
        {"+host.example", "ghost.example", POLICY_DENIED, "10.0.0.1", false},
        {"+host.example", "a.host.example", POLICY_DENIED, "10.0.0.1", false},
        {"+*.corp.example", "a.corp.example", POLICY_ALLOWED, "10.0.0.1", true},
        {"+*.corp.example", "A.B.CORP.example", POLICY_ALLOWED, "fd73::5", true},
        {"+*.corp.example", "corp.example", POLICY_DENIED, "10.0.0.1", false},
        {"+*.corp.example", "acorp.example", POLICY_DENIED, "10.0.0.1", false},
        {"+*.corp.example", "a.corp.example.evil", POLICY_DENIED, "10.0.0.1", false},
        {"+*.corp.example", "a.corp.example", POLICY_ALLOWED, "127.0.0.1", false}, // rebinding
        {"+*.corp.example", "a.corp.example", POLICY_ALLOWED, "169.254.169.254", false},
        {"+*.corp.example, 127.0.0.1", "a.corp.example", POLICY_ALLOWED, "127.0.0.1", true},
        {"+10.0.0.0/8", "any.example", POLICY_ASK_ADDRESS, "10.0.0.1", true},
        {"+10.0.0.0/8", "any.example", POLICY_ASK_ADDRESS, "11.0.0.1", false},
        {"-10.0.0.1\n+*.corp.example", "a.corp.example", POLICY_ALLOWED, "10.0.0.1", false},
        {"-10.0.0.1\n+*.corp.example", "a.corp.example", POLICY_ALLOWED, "10.0.0.2", true},
        {"+*.corp.example\n-10.0.0.1", "a.corp.example", POLICY_ALLOWED, "10.0.0.1", true},
        {"-bad.corp.example\n+*.corp.example", "bad.corp.example", POLICY_DENIED, "10.0.0.1", false},
        {"-bad.corp.example\n+10.0.0.0/8", "bad.corp.example", POLICY_DENIED, "10.0.0.1", false},
        {"+10.0.0.0/8\n-bad.corp.example", "bad.corp.example", POLICY_ASK_ADDRESS, "10.0.0.1", true},
        {"+10.0.0.0/8\n-bad.corp.example\n+0.0.0.0/0", "bad.corp.example", POLICY_ASK_ADDRESS, "11.0.0.1", false},
        {"+tcp:10.0.0.0/8:443", "any.example", POLICY_DENIED, "10.0.0.1", false},
        {"-0.0.0.0/0", "any.example", POLICY_DENIED, "10.0.0.1", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy *policy = policy_of(cases[i].rules);
        if (policy_judge_name(policy, T, cases[i].host, 80) != cases[i].by_name)
            fail_msg("%s: %s by name", cases[i].rules, cases[i].host);
        if (allows(policy, T, cases[i].host, cases[i].addr, 80) != cases[i].allowed)
            fail_msg("%s: %s at %s", cases[i].rules, cases[i].host, cases[i].addr);
        policy_free(policy);
    }
}

static void test_local_is_replaced(void **state)
{
    (void)state;
    struct policy *policy = policy_of("+10.0.0.0/8");
    struct prefix own;
    assert_true(prefix_parse(&own, "10.0.0.1"));
    assert_true(allows(policy, T, NULL, "10.0.0.1", 80));
    policy_set_local(policy, &own, 1);
    assert_false(allows(policy, T, NULL, "10.0.0.1", 80));
    assert_true(prefix_parse(&own, "10.0.0.2"));
    policy_set_local(policy, &own, 1);
    assert_true(allows(policy, T, NULL, "10.0.0.1", 80));
    assert_false(allows(policy, T, NULL, "10.0.0.2", 80));
    policy_set_local(policy, NULL, 0);
    assert_true(allows(policy, T, NULL, "10.0.0.2", 80));
    policy_free(policy);
}

// A prefix that the gate answers for as a whole (AnyIP); the narrowest of the local ones counts.
static void test_local_prefix(void **state)
{
    (void)state;
    struct prefix own[2];
    assert_true(prefix_parse(&own[0], "10.0.0.0/24") && prefix_parse(&own[1], "10.0.0.1"));
    struct policy *wide = policy_of("+10.0.0.0/8"), *exact = policy_of("+10.0.0.0/24");
    policy_set_local(wide, own, COUNT(own));
    policy_set_local(exact, own, COUNT(own));
    assert_false(allows(wide, T, NULL, "10.0.0.7", 80));
    assert_true(allows(wide, T, NULL, "10.0.1.7", 80));
    assert_true(allows(exact, T, NULL, "10.0.0.7", 80));
    assert_false(allows(exact, T, NULL, "10.0.0.1", 80));
    policy_free(wide);
    policy_free(exact);
}

static void test_hosts(void **state)
{
    (void)state;
    static const char label63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    char long_label[80], longest[300], too_long[300];
    snprintf(long_label, sizeof long_label, "%sa.example", label63);
    snprintf(longest, sizeof longest, "%s.%s.%s.%.61s", label63, label63, label63, label63);
    snprintf(too_long, sizeof too_long, "%s.%s.%s.%.62s", label63, label63, label63, label63);
    const struct {
        const char *host;
        bool valid;
    } cases[] = {
        {"host", true},
        {"host.example", true},
        {"host.example.", true},
        {"Host-1.EXAMPLE", true},
        {"_ldap._tcp.example", true},
        {"1.2.3.example", true},
        {"0x7f.example", true},
        {"3com", true},
        {"a", true},
        {"xn--bcher-kva.example", true},
        {"0xg", true},
        {longest, true},
        {too_long, false},
        {long_label, false},
        {"", false},
        {".", false},
        {".example", false},
        {"host..example", false},
        {"host.example..", false},
        {"-host", false},
        {"host-", false},
        {"a.-b.example", false},
        {"ho st", false},
        {"host\n", false},
        {"host/x", false},
        {"host:80", false},
        {"h\xc3\xb6st", false},
        {"%6c", false},
        {"*.example", false},
        {"127.0.0.1", false},
        {"127.0.0.1.", false},
        {"127.1", false},
        {"127.0.1", false},
        {"0x7f.1", false},
        {"0x7f.0x1", false},
        {"0x7f000001", false},
        {"0X7F000001", false},
        {"2130706433", false},
        {"017700000001", false},
        {"0177.0.0.1", false},
        {"0177.0.0.01", false},
        {"0", false},
        {"0x", false},
        {"host.0", false},
        {"host.0xa9", false},
        {"a.b.254", false},
        {"::1", false},
        {"[::1]", false},
        {"fe80::1%eth0", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].host, host_name_is_valid(cases[i].host) == cases[i].valid);
}

// Protocol 0: whether a name could be reached at all, by whatever protocol and port.
static void names_by_any_protocol(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        enum policy_verdict by_name;
        bool allowed; // at 10.0.0.1
    } cases[] = {
        {"+tcp:*.corp.example:22", POLICY_ALLOWED, true},
        {"+udp:web.corp.example", POLICY_ALLOWED, true},
        {"+icmp:10.0.0.0/8", POLICY_ASK_ADDRESS, true},
        {"+tcp:10.0.0.0/8:80-90", POLICY_ASK_ADDRESS, true},
        {"+tcp:11.0.0.0/8", POLICY_ASK_ADDRESS, false},
        {"+*.other.example", POLICY_DENIED, false},
        {"-web.corp.example\n+*.corp.example", POLICY_DENIED, false},
        {"-tcp:web.corp.example\n+*.corp.example", POLICY_ALLOWED, true}, // not all of it
        {"-tcp:web.corp.example:1-65535\n+*.corp.example", POLICY_ALLOWED, true},
        {"-10.0.0.0/8\n+0.0.0.0/0", POLICY_ASK_ADDRESS, false},
        {"-udp:10.0.0.0/8\n+0.0.0.0/0", POLICY_ASK_ADDRESS, true},
        {"-0.0.0.0/0", POLICY_DENIED, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy *policy = policy_of(cases[i].rules);
        if (policy_judge_name(policy, 0, "web.corp.example", 0) != cases[i].by_name)
            fail_msg("%s: by name", cases[i].rules);
        if (allows(policy, 0, "web.corp.example", "10.0.0.1", 0) != cases[i].allowed)
            fail_msg("%s: by address", cases[i].rules);
        policy_free(policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_by_any_protocol),
        cmocka_unit_test(test_grammar_good),
        cmocka_unit_test(test_grammar_bad),
        cmocka_unit_test(test_first_match),
        cmocka_unit_test(test_special_not_by_wide_rules),
        cmocka_unit_test(test_special_by_exact_rules),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_local_is_replaced),
        cmocka_unit_test(test_local_prefix),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
