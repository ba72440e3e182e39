// SPDX-License-Identifier: GPL-2.0-or-later
// Values that say where something is: what they are, and what they are not.
#include "config/value_net.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse(config_parse *kind, void *field, const char *value, struct config_key key)
{
    struct config_entry entry = {.argument = "", .value = value};
    struct fault fault = {""};
    bool ok = kind(field, &entry, &key, &fault);
    CASE(value, ok || *fault.text); // a refusal has its reason
    return ok;
}

static void test_host_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } good[] = {
        {"gate.example.net:4433", "gate.example.net", 4433},
        {"192.0.2.1:1", "192.0.2.1", 1},
        {"[2001:db8::1]:65535", "2001:db8::1", 65535},
    };
    static const char *const bad[] = {
        "gate",          "gate:",    ":4433",   "gate:0", "gate:65536", "gate:4433x", "2001:db8::1:4433",
        "[2001:db8::1]", "[gate]:1", "ga te:1", "[]:1",   "[:1",
    };
    struct value_targets targets = {0};
    for (size_t i = 0; i < COUNT(good); i++) {
        CASE(good[i].text, parse(value_targets, &targets, good[i].text, (struct config_key){0}));
        assert_string_equal(targets.items[i].host, good[i].host);
        assert_int_equal(targets.items[i].port, good[i].port);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        CASE(bad[i], !parse(value_targets, &targets, bad[i], (struct config_key){0}));
    assert_int_equal(targets.count, COUNT(good));
    value_targets_fini(&targets);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t len;
    } good[] = {{"10.99.0.2/24", 24}, {"10.99.0.3", 32}, {"fd99::2/64", 64}, {"fd99::3", 128}, {"10.0.0.1/0", 0}};
    static const char *const bad[] = {"10.99.0.2/33",
                                      "10.99.0.2/",
                                      "10.99.0/24",
                                      "fd99::2/129",
                                      "x",
                                      "10.99.0.300",
                                      "10.99.0.9/-1",
                                      "00000000000000000000000000000000000000000000000000000000000000/1"};
    struct value_prefixes addresses = {0};
    for (size_t i = 0; i < COUNT(good); i++) {
        CASE(good[i].text, parse(value_addresses, &addresses, good[i].text, (struct config_key){0}));
        CASE(good[i].text, addresses.items[i].len == good[i].len);
    }
    char text[ADDRESS_TEXT_SIZE];
    assert_string_equal(address_text(&addresses.items[0].addr, text), "10.99.0.2"); // the host's bits stay
    for (size_t i = 0; i < COUNT(bad); i++)
        CASE(bad[i], !parse(value_addresses, &addresses, bad[i], (struct config_key){0}));
    value_prefixes_fini(&addresses);
}

static void test_prefixes_and_endpoints(void **state)
{
    (void)state;
    struct value_prefixes prefixes = {0};
    assert_true(parse(value_prefixes, &prefixes, "10.73.0.0/24", (struct config_key){0}));
    assert_true(parse(value_prefixes, &prefixes, "0.0.0.0/0", (struct config_key){0}));
    assert_true(parse(value_prefixes, &prefixes, "::/0", (struct config_key){0}));
    assert_false(parse(value_prefixes, &prefixes, "10.73.0.1/24", (struct config_key){0}));
    assert_false(parse(value_prefixes, &prefixes, "0.0.0.0/0", (struct config_key){0})); // twice
    assert_int_equal(prefixes.count, 3);
    value_prefixes_fini(&prefixes);

    struct value_endpoints endpoints = {0};
    assert_true(parse(value_endpoints, &endpoints, "0.0.0.0:4433", (struct config_key){0}));
    assert_true(parse(value_endpoints, &endpoints, "[::]:4433", (struct config_key){0}));
    assert_false(parse(value_endpoints, &endpoints, "gate:4433", (struct config_key){0}));
    assert_false(parse(value_endpoints, &endpoints, "[::]:4433", (struct config_key){0})); // twice
    assert_int_equal(endpoints.count, 2);
    value_endpoints_fini(&endpoints);
}

static void test_servers(void **state)
{
    (void)state;
    char *servers = NULL;
    assert_true(parse(value_servers, &servers, "10.0.0.53", (struct config_key){0}));
    assert_true(parse(value_servers, &servers, "[fd00::53]:5353", (struct config_key){0}));
    assert_true(parse(value_servers, &servers, "fd00::53", (struct config_key){0}));
    assert_false(parse(value_servers, &servers, "dns.example", (struct config_key){0}));
    assert_string_equal(servers, "10.0.0.53,[fd00::53]:5353,fd00::53");
    while (strlen(servers) < VALUE_SERVERS_SIZE - 12)
        assert_true(parse(value_servers, &servers, "10.0.0.53", (struct config_key){0}));
    assert_false(parse(value_servers, &servers, "10.100.100.53", (struct config_key){0}));
    free(servers);
}

static void test_lists_are_bounded(void **state)
{
    (void)state;
    struct value_prefixes prefixes = {0};
    char text[PREFIX_TEXT_SIZE];
    for (int i = 0; i < VALUE_LIST_MAX; i++) {
        snprintf(text, sizeof(text), "10.%d.%d.0/24", i / 256, i % 256);
        assert_true(parse(value_prefixes, &prefixes, text, (struct config_key){0}));
    }
    assert_false(parse(value_prefixes, &prefixes, "192.0.2.0/24", (struct config_key){0}));
    value_prefixes_fini(&prefixes);
}

static void test_sources(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second; // NULL: none
        const char *why;            // NULL: good
    } cases[] = {
        {"10.73.0.1", "fd73::1", NULL},
        {"fd73::1", "127.0.0.5", NULL},
        {"10.73.0.1/24", NULL, "is not an address such as 10.73.0.1 or fd73::1"},
        {"gate", NULL, "is not an address such as 10.73.0.1 or fd73::1"},
        {"0.0.0.0", NULL, "is no address that connections can come from"},
        {"::", NULL, "is no address that connections can come from"},
        {"224.0.0.1", NULL, "is no address that connections can come from"},
        {"255.255.255.255", NULL, "is no address that connections can come from"},
        {"ff02::1", NULL, "is no address that connections can come from"},
        {"fe80::1", NULL, "is no address that connections can come from"},
        {"10.73.0.1", "10.73.0.2", "is a second address of IPv4: there may be one of each version"},
        {"fd73::1", "fd73::1", "is a second address of IPv6: there may be one of each version"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct socket_source source = {0};
        struct config_entry entry = {.argument = "", .value = cases[i].first};
        struct fault fault = {""};
        bool ok = value_source(&source, &entry, NULL, &fault);
        entry.value = cases[i].second;
        if (ok && cases[i].second)
            ok = value_source(&source, &entry, NULL, &fault);
        CASE(cases[i].first, ok == !cases[i].why && (ok || !strcmp(fault.text, cases[i].why)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_port),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_prefixes_and_endpoints),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
