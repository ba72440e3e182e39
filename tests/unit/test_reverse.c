// SPDX-License-Identifier: GPL-2.0-or-later
// Names of addresses, and what only looks like one.
#include "edge/names/reverse.h"

#include "unit.h"

#include <string.h>

static void names_of_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *name, *address; // NULL: it is none
    } cases[] = {
        {"2.0.18.198.in-addr.arpa", "198.18.0.2"},
        {"255.255.255.255.in-addr.arpa", "255.255.255.255"},
        {"0.0.0.0.in-addr.arpa", "0.0.0.0"},
        {"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.7.5.6.8.6.3.7.5.7.d.f.ip6.arpa", "fd75:7368:6572::2"},
        {"f.e.d.c.b.a.9.8.7.6.5.4.3.2.1.0.0.0.0.0.2.7.5.6.8.6.3.7.5.7.d.f.ip6.arpa",
         "fd75:7368:6572:0:123:4567:89ab:cdef"},
        {"256.0.18.198.in-addr.arpa", NULL},
        {"02.0.18.198.in-addr.arpa", NULL},
        {"2000.0.18.198.in-addr.arpa", NULL},
        {".0.18.198.in-addr.arpa", NULL},
        {"0.18.198.in-addr.arpa", NULL},
        {"1.2.0.18.198.in-addr.arpa", NULL},
        {"2.0.18.198.in-addr.arpa.example", NULL},
        {"2.0.18.198.ip6.arpa", NULL},
        {"2.0.18.198", NULL},
        {"2.0.18.-198.in-addr.arpa", NULL},
        {"in-addr.arpa", NULL},
        {"", NULL},
        {"web.corp.example", NULL},
        {"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.7.5.6.8.6.3.7.5.7.d.ip6.arpa", NULL},
        {"1.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.7.5.6.8.6.3.7.5.7.d.f.ip6.arpa", NULL},
        {"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.7.5.6.8.6.3.7.5.7.d.g.ip6.arpa", NULL},
        {"20.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.7.5.6.8.6.3.7.5.7.d.f.ip6.arpa", NULL},
        {"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.7.5.6.8.6.3.7.5.7.d.f.in-addr.arpa", NULL},
        {"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.7.5.6.8.6.3.7.5.7.d.f", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address addr;
        char text[ADDRESS_TEXT_SIZE];
        bool is = reverse_parse(&addr, cases[i].name);
        CASE(cases[i].name, is == !!cases[i].address);
        CASE(cases[i].name, !is || !strcmp(address_text(&addr, text), cases[i].address));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
