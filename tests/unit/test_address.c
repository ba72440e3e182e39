// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/address.h"
#include "unit.h"

#include <string.h>

static void endpoints_are_parsed_strictly(void **state)
{
    static const struct {
        const char *text;
        const char *again; // NULL: refused
    } cases[] = {
        {"10.0.0.1:80", "10.0.0.1:80"},
        {"[fd00::1]:443", "[fd00::1]:443"},
        {"[::ffff:1.2.3.4]:65535", "[::ffff:1.2.3.4]:65535"},
        {"10.0.0.1:0", "10.0.0.1:0"},
        {"10.0.0.1:65536", NULL},
        {"10.0.0.1:", NULL},
        {"10.0.0.1", NULL},
        {"10.0.0.1:+1", NULL},
        {"10.0.0.1: 1", NULL},
        {"fd00::1:443", NULL},
        {"[10.0.0.1]:80", NULL},
        {"[fd00::1]", NULL},
        {"127.1:80", NULL},
        {"0x7f000001:80", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint ep;
        char room[ENDPOINT_TEXT_SIZE];
        bool parsed = endpoint_parse(&ep, cases[i].text);
        CASE(cases[i].text, parsed == (cases[i].again != NULL));
        if (parsed)
            assert_string_equal(endpoint_text(&ep, room), cases[i].again);
    }
}

static void prefixes_are_parsed_and_contain(void **state)
{
    static const struct {
        const char *prefix; // "" in `inside`: the prefix itself is refused
        const char *inside;
        const char *outside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"10.73.0.64/26", "10.73.0.127", "10.73.0.128"},
        {"0.0.0.0/0", "255.255.255.255", "::1"},
        {"1.2.3.4", "1.2.3.4", "1.2.3.5"},
        {"fd73::/64", "fd73::ffff:ffff:ffff:ffff", "fd73:0:0:1::"},
        {"::/0", "ffff::", "1.2.3.4"},
        {"fd73::80/121", "fd73::ff", "fd73::7f"},
        {"10.0.0.1/8", "", ""},
        {"10.0.0.0/33", "", ""},
        {"10.0.0.0/", "", ""},
        {"10.0.0.0/-1", "", ""},
        {"fd73::/129", "", ""},
        {"fd73::1/64", "", ""},
        {"example/8", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct prefix prefix;
        struct address addr;
        bool parsed = prefix_parse(&prefix, cases[i].prefix);
        CASE(cases[i].prefix, parsed == (cases[i].inside[0] != '\0'));
        if (!parsed)
            continue;
        assert_true(address_parse(&addr, cases[i].inside));
        CASE(cases[i].inside, prefix_contains(&prefix, &addr));
        assert_true(address_parse(&addr, cases[i].outside));
        CASE(cases[i].outside, !prefix_contains(&prefix, &addr));
    }
}

static void ipv4_addresses_are_found_inside_ipv6(void **state)
{
    static const struct {
        const char *v6;
        const char *v4[ADDRESS_UNWRAP_MAX];
    } cases[] = {
        {"::ffff:127.0.0.1", {"127.0.0.1"}},
        {"::169.254.169.254", {"169.254.169.254"}},
        {"64:ff9b::7f00:1", {"127.0.0.1"}},
        // The layouts of RFC 6052 section 2.2 for prefixes of 96, 64, 56 and 48 bits, in that order; what else such an
        // address may mean stands beside.
        {"64:ff9b:1::10.0.0.1", {"10.0.0.1"}},
        {"64:ff9b:1:fffe::169.254.169.254", {"169.254.169.254"}},
        {"64:ff9b:1:0:a:0:100:0", {"1.0.0.0", "10.0.0.1"}},
        {"64:ff9b:1:a:0:1::", {"10.0.0.1"}},
        {"64:ff9b:1:a00:0:100::", {"10.0.0.1"}},
        {"64:ff9b:1:a9fe:a9:fe00::", {"169.254.0.0", "254.169.254.0", "169.254.169.254"}},
        {"2002:7f00:1::", {"127.0.0.1"}},
        {"2001:0:1:2:3:4:80ff:fffe", {"127.0.0.1"}},
        {"fd00::7f00:1", {NULL}},
        {"2001:db8::1", {NULL}},
        {"10.0.0.1", {NULL}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address addr, inner[ADDRESS_UNWRAP_MAX];
        char room[ADDRESS_TEXT_SIZE];
        assert_true(address_parse(&addr, cases[i].v6));
        size_t found = address_unwrap_v4(&addr, inner), wanted = 0;
        while (wanted < ADDRESS_UNWRAP_MAX && cases[i].v4[wanted])
            wanted++;
        CASE(cases[i].v6, found == wanted);
        for (size_t n = 0; n < found; n++)
            CASE(cases[i].v6, !strcmp(address_text(&inner[n], room), cases[i].v4[n]));
    }
}

static void kernel_form_and_back(void **state)
{
    static const char *const texts[] = {"10.1.2.3:4433", "[fd00::1:2]:53"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct endpoint ep, back;
        struct sockaddr_storage sa;
        assert_true(endpoint_parse(&ep, texts[i]));
        assert_true(endpoint_to_sockaddr(&ep, &sa) > 0);
        assert_true(endpoint_from_sockaddr(&back, (struct sockaddr *)&sa));
        CASE(texts[i], endpoint_equal(&ep, &back));
    }
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct endpoint ep;
    assert_false(endpoint_from_sockaddr(&ep, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_parsed_strictly),
        cmocka_unit_test(prefixes_are_parsed_and_contain),
        cmocka_unit_test(ipv4_addresses_are_found_inside_ipv6),
        cmocka_unit_test(kernel_form_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
