// SPDX-License-Identifier: GPL-2.0-or-later
// Which addresses a datagram carries, by what the association was opened for.
#include "usher/association.h"

#include "unit.h"

static void datagrams_carry_what_their_kind_does(void **state)
{
    static const struct {
        const char *name;
        struct usher_open open;
        bool addresses;
        bool ports;
    } cases[] = {
        {"UDP to IPv4", {.protocol = USHER_UDP, .addr = {.version = 4}}, true, true},
        {"UDP to IPv6", {.protocol = USHER_UDP, .addr = {.version = 6}}, false, false},
        {"UDP to IPv4 as a name", {.protocol = USHER_UDP, .addr = {.version = 4}, .by_name = true}, false, false},
        {"UDP to a name", {.protocol = USHER_UDP, .by_name = true, .host = "a.example"}, false, false},
        {"echo to IPv4", {.protocol = USHER_ICMP, .addr = {.version = 4}}, true, true},
        {"echo to IPv6", {.protocol = USHER_ICMPV6, .addr = {.version = 6}}, false, true},
        {"echo to a name", {.protocol = USHER_ICMP, .by_name = true, .host = "a.example"}, false, true},
    };
    const struct usher_datagram datagram = {
        .from = {.addr = {.version = 4, .bytes = {10, 0, 0, 1}}, .port = 11},
        .to = {.addr = {.version = 4, .bytes = {10, 0, 0, 2}}, .port = 22},
        .bytes = (const uint8_t *)"abc",
        .len = 3,
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct association a;
        association_init(&a, &cases[i].open);
        CASE(cases[i].name, list_is_empty(&a.queue));
        struct usher_datagram out = association_dress(&a, &datagram);
        CASE(cases[i].name, out.from.addr.version == (cases[i].addresses ? 4 : 0));
        CASE(cases[i].name, out.to.addr.version == (cases[i].addresses ? 4 : 0));
        CASE(cases[i].name, out.from.port == (cases[i].ports ? 11 : 0));
        CASE(cases[i].name, out.to.port == (cases[i].ports ? 22 : 0));
        CASE(cases[i].name, out.bytes == datagram.bytes && out.len == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_carry_what_their_kind_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
