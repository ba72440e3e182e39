// SPDX-License-Identifier: GPL-2.0-or-later
// What others write into a resolv.conf, and what we write in its place.
#include "os/system_dns/resolv_conf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *servers_of(const struct resolv_conf *conf)
{
    static char all[RESOLV_CONF_SERVERS_TEXT_SIZE];
    resolv_conf_servers_text(&conf->servers, all);
    return all;
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *servers, *search, *others;
        size_t unusable;
    } cases[] = {
        {"", "", "", "", 0},
        {"nameserver 192.0.2.53\n", "192.0.2.53", "", "", 0},
        {"nameserver 192.0.2.53", "192.0.2.53", "", "", 0},
        {"nameserver\t192.0.2.53 \t\r\n", "192.0.2.53", "", "", 0},
        {"nameserver 192.0.2.53 # the router\n", "192.0.2.53", "", "", 0},
        {"nameserver 192.0.2.1\nnameserver 2001:db8::53\n", "192.0.2.1,2001:db8::53", "", "", 0},
        {" nameserver 192.0.2.53\n", "", "", "", 0}, // as the C library: at the start of a line only
        {"# nameserver 192.0.2.53\n;nameserver 192.0.2.53\n", "", "", "", 0},
        {"nameserver192.0.2.53\nnameserver\nnameserver \n", "", "", "", 0},
        {"nameserver fe80::1%eth0\nnameserver 192.0.2.53\n", "192.0.2.53", "", "", 1},
        {"nameserver dns.example\n", "", "", "", 1},
        {"search a.example b.example\n", "", "a.example b.example", "", 0},
        {"search  a.example\t\tb.example  \n", "", "a.example b.example", "", 0},
        {"search a.example\nsearch b.example\n", "", "b.example", "", 0},
        {"domain a.example b.example\n", "", "a.example", "", 0},
        {"search a.example\ndomain b.example\n", "", "b.example", "", 0},
        {"search .\n", "", ".", "", 0},
        {"options edns0 trust-ad\noptions timeout:1\n", "", "", "options edns0 trust-ad\noptions timeout:1\n", 0},
        {"sortlist 192.0.2.0/24", "", "", "sortlist 192.0.2.0/24\n", 0},
        {"lookup file bind\nfamily inet4\n\n\nnonsense", "", "", "", 0},
        {"nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\nnameserver 1.0.0.5\n"
         "nameserver 1.0.0.6\nnameserver 1.0.0.7\nnameserver 1.0.0.8\nnameserver 1.0.0.9\n",
         "1.0.0.1,1.0.0.2,1.0.0.3,1.0.0.4,1.0.0.5,1.0.0.6,1.0.0.7,1.0.0.8", "", "", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct resolv_conf conf;
        resolv_conf_parse(&conf, cases[i].text);
        CASE(cases[i].text, !strcmp(servers_of(&conf), cases[i].servers));
        CASE(cases[i].text, !strcmp(conf.search, cases[i].search));
        CASE(cases[i].text, !strcmp(conf.others, cases[i].others));
        CASE(cases[i].text, conf.unusable == cases[i].unusable);
        resolv_conf_fini(&conf);
    }
}

static struct address address(const char *text)
{
    struct address addr;
    assert_true(address_parse(&addr, text));
    return addr;
}

static void test_text(void **state)
{
    (void)state;
    const struct address servers[] = {address("198.18.0.1"), address("fd75::1")};
    static const struct {
        const char *backup, *search, *old, *text;
    } cases[] = {
        {"/b", "", "nameserver 192.0.2.53\n", "# Written by usher-tun branch: usher-tun down branch puts back /b\n"},
        {NULL, "", "", "# Written by usher-tun branch: usher-tun down branch removes it\n"},
        {"/b", "corp.example", "search old.example\noptions edns0\n",
         "# Written by usher-tun branch: usher-tun down branch puts back /b\n"
         "search corp.example old.example\noptions edns0\n"},
        {"/b", "corp.example", "",
         "# Written by usher-tun branch: usher-tun down branch puts back /b\nsearch corp.example\n"},
        {"/b", "", "domain old.example\n",
         "# Written by usher-tun branch: usher-tun down branch puts back /b\nsearch old.example\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct resolv_conf old;
        resolv_conf_parse(&old, cases[i].old);
        const struct resolv_conf_own own = {"branch", cases[i].backup, servers, 2, cases[i].search};
        char *text = resolv_conf_text(&own, &old), expected[1024];
        size_t first = strcspn(cases[i].text, "\n") + 1;
        snprintf(expected, sizeof expected, "%.*snameserver 198.18.0.1\nnameserver fd75::1\n%s", (int)first,
                 cases[i].text, cases[i].text + first);
        assert_string_equal(text, expected);

        // What we wrote is recognised, and read as what it says.
        struct resolv_conf_owner owner;
        struct resolv_conf again;
        assert_true(resolv_conf_owner(&owner, text));
        assert_string_equal(owner.name, "branch");
        assert_int_equal(owner.had_old, cases[i].backup != NULL);
        resolv_conf_parse(&again, text);
        assert_string_equal(servers_of(&again), "198.18.0.1,fd75::1");
        assert_string_equal(again.others, old.others);
        resolv_conf_fini(&again);
        resolv_conf_fini(&old);
        free(text);
    }
}

static void test_owner(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name; // NULL: nobody's
    } cases[] = {
        {"", NULL},
        {"# Generated by NetworkManager\nnameserver 192.0.2.53\n", NULL},
        {"# Written by usher-tun a-b_c.9: usher-tun down a-b_c.9 puts back /etc/resolv.conf.usher-tun-a-b_c.9\n",
         "a-b_c.9"},
        {"# Written by usher-tun a: usher-tun down a removes it\n", "a"},
        {"# Written by usher-tun a: usher-tun down a removes it", NULL}, // cut off
        {"# Written by usher-tun a: usher-tun down b removes it\n", NULL},
        {"# Written by usher-tun a: usher-tun down a removes it not\n", NULL},
        {"# Written by usher-tun a: usher-tun down a\n", NULL},
        {"# Written by usher-tun : usher-tun down a removes it\n", NULL},
        {"# Written by usher-tun a\n: usher-tun down a removes it\n", NULL},
        {"\n# Written by usher-tun a: usher-tun down a removes it\n", NULL}, // somebody has put a line before ours
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct resolv_conf_owner owner;
        bool owned = resolv_conf_owner(&owner, cases[i].text);
        CASE(cases[i].text, owned == (cases[i].name != NULL));
        CASE(cases[i].text, !owned || !strcmp(owner.name, cases[i].name));
    }
}

static void test_owner_is_bounded(void **state)
{
    (void)state;
    char text[4096];
    struct resolv_conf_owner owner;
    for (int len = 60; len <= 66; len++) {
        char name[128] = "";
        memset(name, 'n', (size_t)len);
        snprintf(text, sizeof text, "# Written by usher-tun %s: usher-tun down %s removes it\n", name, name);
        assert_int_equal(resolv_conf_owner(&owner, text), len < RESOLV_CONF_NAME_SIZE);
    }
    memset(text, '#', sizeof text);
    text[sizeof text - 2] = '\n';
    text[sizeof text - 1] = '\0';
    assert_false(resolv_conf_owner(&owner, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_owner_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
