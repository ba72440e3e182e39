// SPDX-License-Identifier: GPL-2.0-or-later
// A far end as a person types it.
#include "cli/destination.h"
#include "unit.h"

#include <netinet/in.h>
#include <string.h>

static void test_destinations(void **state)
{
    (void)state;
    static const struct {
        const char *text, *protocol, *shown, *host;
        int number; // -1: refused
    } cases[] = {
        {"10.73.0.2:80", NULL, "10.73.0.2:80", "", IPPROTO_TCP},
        {"10.73.0.2:80", "UDP", "10.73.0.2:80", "", IPPROTO_UDP},
        {"10.73.0.2", NULL, "10.73.0.2", "", IPPROTO_ICMP},
        {"10.73.0.2:80", "icmp", "10.73.0.2", "", IPPROTO_ICMP},
        {"fd73::2", NULL, "fd73::2", "", IPPROTO_ICMPV6},
        {"[fd73::2]:443", NULL, "[fd73::2]:443", "", IPPROTO_TCP},
        {"db.corp.example:22", "tcp", "db.corp.example:22", "db.corp.example", IPPROTO_TCP},
        {"db.corp.example", NULL, "db.corp.example", "db.corp.example", IPPROTO_ICMP},
        {"printer", "icmp", "printer", "printer", IPPROTO_ICMP},
        {"10.73.0.2", "tcp", NULL, NULL, -1},
        {"10.73.0.2:0", NULL, NULL, NULL, -1},
        {"10.73.0.2:65536", NULL, NULL, NULL, -1},
        {"10.73.0.2:", NULL, NULL, NULL, -1},
        {"10.73.0.300", NULL, NULL, NULL, -1},
        {"fd73::2:80", NULL, "fd73::2:80", "", IPPROTO_ICMPV6}, // an address all the same
        {"[fd73::2]", NULL, NULL, NULL, -1},
        {"[fd73::2", NULL, NULL, NULL, -1},
        {"", NULL, NULL, NULL, -1},
        {":80", NULL, NULL, NULL, -1},
        {"a b:80", NULL, NULL, NULL, -1},
        {"host:80:90", NULL, NULL, NULL, -1},
        {"10.73.0.2:80", "sctp", NULL, NULL, -1},
        {"10.73.0.2:80", "", NULL, NULL, -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct destination to;
        struct fault fault;
        char room[DESTINATION_TEXT_SIZE];
        bool ok = destination_parse(&to, cases[i].text, cases[i].protocol, &fault);
        if (ok != (cases[i].number >= 0))
            fail_msg("%s %s: %d", cases[i].text, cases[i].protocol, ok);
        if (!ok)
            continue;
        assert_int_equal(to.protocol, cases[i].number);
        assert_string_equal(to.host, cases[i].host);
        assert_string_equal(destination_text(&to, room), cases[i].shown);
    }
    struct destination to;
    struct fault fault;
    char endless[400];
    memset(endless, 'a', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_false(destination_parse(&to, endless, NULL, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_destinations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
