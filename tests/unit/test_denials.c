// SPDX-License-Identifier: GPL-2.0-or-later
// What was refused: repeats are one entry, the latest is first, memory is bounded and fair, and nothing is told twice.
#include "base/protocol.h"
#include "cli/facts_json.h"
#include "exchange/denials.h"
#include "exchange/policy/policy.h"
#include "unit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct denial denial_of(const char *who, const char *to, uint64_t at)
{
    struct denial denial = {.who = who,
                            .protocol = IPPROTO_TCP,
                            .host = "",
                            .rule = "no rule allows it",
                            .count = 1,
                            .first = at,
                            .last = at};
    assert_true(endpoint_parse(&denial.to, to));
    return denial;
}

static void describe(const void *part, struct facts *facts)
{
    denials_describe(part, "/etc/usher/gate.conf", facts);
}

static void test_repeats_are_counted(void **state)
{
    (void)state;
    struct denials *denials = denials_new();
    struct denial a = denial_of("", "10.0.0.1:80", 100), b = denial_of("", "10.0.0.2:80", 101), taken;
    assert_false(denials_repeat(denials, &a));
    denials_add(denials, &a);
    denials_add(denials, &b);
    a.last = 105;
    assert_true(denials_repeat(denials, &a));
    denials_add(denials, &a);
    assert_true(denials_take(denials, &taken)); // the latest first
    assert_int_equal(taken.count, 3);
    assert_int_equal(taken.first, 100);
    assert_int_equal(taken.last, 105);
    assert_true(denials_take(denials, &taken));
    assert_int_equal(taken.to.addr.bytes[3], 2);
    assert_false(denials_take(denials, &taken));
    assert_true(denials_repeat(denials, &a));
    assert_true(denials_take(denials, &taken)); // and of that only what is new
    assert_int_equal(taken.count, 1);
    denials_free(denials);
}

// What makes another entry.
static void test_what_is_another(void **state)
{
    (void)state;
    struct denials *denials = denials_new();
    struct denial a = denial_of("", "10.0.0.1:80", 1), other[5], taken;
    size_t count = 0;
    for (size_t i = 0; i < COUNT(other); i++)
        other[i] = a;
    other[0].protocol = IPPROTO_UDP;
    other[1].host = "host.example";
    other[2].to.port = 81;
    other[3].who = "branch";
    assert_true(address_parse(&other[4].from, "10.1.0.2"));
    denials_add(denials, &a);
    for (size_t i = 0; i < COUNT(other); i++) {
        assert_false(denials_repeat(denials, &other[i]));
        denials_add(denials, &other[i]);
    }
    denials_rules_changed(denials);
    assert_false(denials_repeat(denials, &a));
    denials_add(denials, &a);
    while (denials_take(denials, &taken))
        count++;
    assert_int_equal(count, COUNT(other) + 2);
    denials_free(denials);
}

// Who is refused most gives way first, and nobody else does.
static void test_memory_is_bounded_and_fair(void **state)
{
    (void)state;
    struct denials *denials = denials_new();
    struct denial quiet = denial_of("quiet", "10.0.0.1:80", 1), taken;
    size_t mine = 0, all = 0;
    denials_add(denials, &quiet);
    for (unsigned i = 0; i < 1000; i++) {
        char to[32];
        snprintf(to, sizeof to, "10.1.%u.%u:80", i / 256, i % 256);
        struct denial loud = denial_of("loud", to, i);
        denials_add(denials, &loud);
    }
    for (; denials_take(denials, &taken); all++)
        mine += !strcmp(taken.who, "quiet");
    assert_int_equal(all, DENIALS_MAX);
    assert_int_equal(mine, 1);
    denials_free(denials);
}

static void test_as_facts(void **state)
{
    (void)state;
    struct denials *denials = denials_new();
    struct denial a = denial_of("branch", "10.0.0.1:80", 1764370000);
    a.line = 12;
    a.rule = "Deny = 10.0.0.1/32";
    a.host = "db.example";
    assert_true(address_parse(&a.from, "10.1.0.2"));
    denials_add(denials, &a);
    char *json = facts_json(describe, denials);
    assert_string_equal(json,
                        "{\"denials\":[{\"portal\":\"branch\",\"from\":\"10.1.0.2\",\"protocol\":\"tcp\","
                        "\"destination\":\"db.example:80\",\"address\":\"10.0.0.1\",\"rule\":\"Deny = 10.0.0.1/32\","
                        "\"place\":\"/etc/usher/gate.conf:12\",\"count\":1,\"first\":\"2025-11-28T22:46:40Z\","
                        "\"last\":\"2025-11-28T22:46:40Z\"}]}");
    free(json);
    denials_free(denials);

    denials = denials_new();
    struct denial ping = denial_of("", "10.0.0.1:80", 0), name = ping;
    ping.protocol = IPPROTO_ICMP;
    ping.to.port = 0;
    denials_add(denials, &ping);
    name.host = "db.example";
    name.to.addr = (struct address){0};
    denials_add(denials, &name);
    json = facts_json(describe, denials);
    assert_non_null(
        strstr(json, "\"protocol\":\"icmp\",\"destination\":\"10.0.0.1\",\"rule\":\"no rule allows it\",\"count\""));
    assert_non_null(strstr(json, "\"destination\":\"db.example:80\",\"rule\""));
    free(json);
    denials_free(denials);
}

static void test_the_rule_is_named(void **state)
{
    (void)state;
    static const struct {
        uint8_t protocol;
        const char *host, *addr;
        uint16_t port;
        bool allowed;
        unsigned line;
        const char *text;
    } cases[] = {
        {IPPROTO_TCP, NULL, "10.73.0.66", 80, false, 1, "Deny = 10.73.0.66/32"},
        {IPPROTO_TCP, NULL, "10.73.0.2", 80, true, 2, "Allow = 10.73.0.0/24"},
        {IPPROTO_TCP, NULL, "10.80.1.1", 443, true, 3, "Allow = tcp:10.80.0.0/16:443"},
        {IPPROTO_TCP, NULL, "10.80.1.1", 444, false, 0, "no rule allows it"},
        {IPPROTO_UDP, NULL, "fd73::53", 53, true, 4, "Allow = udp:[fd73::53/128]:53-54"},
        {IPPROTO_TCP, "a.corp.example", "10.9.9.9", 22, true, 5, "Allow = tcp:*.corp.example:22"},
        {IPPROTO_ICMPV6, NULL, "fd74::1", 0, true, 6, "Allow = icmp:fd74::/64"},
        {IPPROTO_TCP, NULL, "169.254.169.254", 80, false, 0,
         "169.254.169.254 is in 169.254.169.254/32, which is special or this host's own: only a rule for an address or "
         "prefix within that allows it"},
        {IPPROTO_TCP, NULL, "64:ff9b::7f00:1", 80, false, 0,
         "127.0.0.1 is in 127.0.0.0/8, which is special or this host's own: only a rule for an address or prefix "
         "within "
         "that allows it"},
        {IPPROTO_TCP, NULL, "::ffff:10.73.0.66", 80, false, 1, "Deny = 10.73.0.66/32"},
    };
    static const struct {
        bool allow;
        const char *rules;
    } lines[] = {{false, "10.73.0.66/32"},        {true, "10.73.0.0/24"},          {true, "tcp:10.80.0.0/16:443"},
                 {true, "udp:[fd73::53]:53-54"},  {true, "tcp:*.corp.example:22"}, {true, "icmp:fd74::/64"},
                 {true, "tcp:169.254.0.0/16:80"}, {true, "tcp:126.0.0.0/7:80"},    {true, "tcp:64:ff9b::/96"}};
    struct policy *policy = policy_new();
    struct fault fault;
    for (unsigned i = 0; i < COUNT(lines); i++)
        assert_true(policy_add_line(policy, lines[i].allow, lines[i].rules, i + 1, &fault));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy_reason reason;
        struct address addr;
        assert_true(address_parse(&addr, cases[i].addr));
        bool allowed =
            policy_explain(policy, cases[i].protocol, cases[i].host, &addr, cases[i].port, &reason) == POLICY_ALLOWED;
        if (allowed != cases[i].allowed || reason.line != cases[i].line || strcmp(reason.text, cases[i].text))
            fail_msg("%s: %d, line %u, %s", cases[i].addr, allowed, reason.line, reason.text);
        assert_int_equal(allowed, policy_judge(policy, cases[i].protocol, cases[i].host, &addr, cases[i].port) ==
                                      POLICY_ALLOWED);
    }
    policy_free(policy);
}

static void test_the_rule_for_a_name(void **state)
{
    (void)state;
    struct policy *policy = policy_new();
    struct policy_reason reason;
    struct fault fault;
    assert_true(policy_add_line(policy, false, "tcp:bad.example:80", 7, &fault));
    assert_true(policy_add_line(policy, true, "tcp:*.example", 8, &fault));
    assert_int_equal(policy_explain_name(policy, IPPROTO_TCP, "bad.example", 80, &reason), POLICY_DENIED);
    assert_int_equal(reason.line, 7);
    assert_string_equal(reason.text, "Deny = tcp:bad.example:80");
    assert_int_equal(policy_explain_name(policy, IPPROTO_TCP, "good.example", 80, &reason), POLICY_ALLOWED);
    assert_int_equal(reason.line, 8);
    assert_int_equal(policy_explain_name(policy, IPPROTO_TCP, "elsewhere.net", 80, &reason), POLICY_DENIED);
    assert_string_equal(reason.text, "no rule allows it");
    assert_true(policy_add_line(policy, true, "10.0.0.0/8", 9, &fault));
    assert_int_equal(policy_explain_name(policy, IPPROTO_TCP, "elsewhere.net", 80, &reason), POLICY_ASK_ADDRESS);
    assert_int_equal(reason.line, 0);
    assert_string_equal(reason.text, "no rule decides by the name alone: its addresses are judged");
    policy_free(policy);
}

static void test_protocols(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int number; // -1: none
    } cases[] = {{"tcp", 6}, {"UDP", 17}, {"icmp", 1}, {"icmpv6", -1}, {"", -1}, {"tcpx", -1}, {"6", -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t number = 0;
        assert_int_equal(protocol_parse(&number, cases[i].text), cases[i].number >= 0);
        assert_int_equal(number, cases[i].number < 0 ? 0 : cases[i].number);
    }
    assert_string_equal(protocol_text(58), "icmpv6");
    assert_string_equal(protocol_text(132), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeats_are_counted),
        cmocka_unit_test(test_what_is_another),
        cmocka_unit_test(test_memory_is_bounded_and_fair),
        cmocka_unit_test(test_as_facts),
        cmocka_unit_test(test_the_rule_is_named),
        cmocka_unit_test(test_the_rule_for_a_name),
        cmocka_unit_test(test_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
