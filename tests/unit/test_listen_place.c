// SPDX-License-Identifier: GPL-2.0-or-later
// Host and port in the ways that people write them.
#include "edge/listen/place.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place; // NULL: none
    } cases[] = {
        {"db.corp.example 22", "db.corp.example|22|name"},
        {"  db.corp.example \t 22  ", "db.corp.example|22|name"},
        {"db.corp.example:22", "db.corp.example|22|name"},
        {"db.corp.example. 22", "db.corp.example.|22|name"},
        {"10.73.0.2 80", "10.73.0.2|80"},
        {"10.73.0.2:65535", "10.73.0.2|65535"},
        {"[fd73::2]:80", "fd73::2|80|name"},
        {"[fd73::2] 80", "fd73::2|80|name"},
        {"fd73::2 80", "fd73::2|80|name"},
        {"fd73::2:80", NULL}, // which may be an address
        {"[10.73.0.2]:80", NULL},
        {"[fd73::2]80", NULL},
        {"[fd73::2]", NULL},
        {"[fd73::2", NULL},
        {"[]:80", NULL},
        {"", NULL},
        {"   ", NULL},
        {"host", NULL},
        {"host ", NULL},
        {"host:", NULL},
        {":80", NULL},
        {" 80", NULL},
        {"host 0", NULL},
        {"host 65536", NULL},
        {"host -1", NULL},
        {"host http", NULL},
        {"host: 80", NULL},
        {"host :80", NULL},
        {"host 80 81", NULL},
        {"host:80:81", NULL},
        {"127.1 80", NULL}, // nor any other spelling that some resolver takes for an address
        {"0x7f000001 80", NULL},
        {"2130706433 80", NULL},
        {"ho?st 80", NULL},
        {"-host 80", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct usher_open open = {.protocol = USHER_TCP};
        char place[400] = "none", address[ADDRESS_TEXT_SIZE];
        if (place_parse(&open, cases[i].text)) {
            assert_int_equal(open.protocol, USHER_TCP);
            assert_int_equal(open.addr.version == 0, *open.host != '\0');
            snprintf(place, sizeof place, "%s|%u%s", *open.host ? open.host : address_text(&open.addr, address),
                     open.port, open.by_name ? "|name" : "");
        }
        assert_string_equal(place, cases[i].place ? cases[i].place : "none");
    }
}

static void the_longest(void **state)
{
    (void)state;
    struct usher_open open = {.protocol = USHER_UDP};
    char host[300], text[600];
    memset(host, 'a', sizeof host);
    for (size_t i = 63; i < 253; i += 64)
        host[i] = '.';
    host[253] = '\0';
    snprintf(text, sizeof text, "%s 65535", host);
    assert_true(place_parse(&open, text));
    assert_string_equal(open.host, host);
    snprintf(text, sizeof text, "%sa 65535", host);
    assert_false(place_parse(&open, text));
    snprintf(text, sizeof text, "%s%100s65535", host, "");
    assert_false(place_parse(&open, text));
}

static void parts(void **state)
{
    (void)state;
    struct usher_open open = {.protocol = USHER_UDP};
    assert_true(place_set(&open, "fd73::2", "53"));
    assert_int_equal(open.addr.version, 6);
    assert_true(place_set(&open, "ns.corp.example", "53"));
    assert_int_equal(open.addr.version, 0);
    assert_int_equal(open.protocol, USHER_UDP);
    assert_false(place_set(&open, "[fd73::2]", "53"));
    assert_false(place_set(&open, "ns.corp.example", "0"));
    assert_false(place_set(&open, "", "53"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(the_longest),
        cmocka_unit_test(parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
