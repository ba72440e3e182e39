// SPDX-License-Identifier: GPL-2.0-or-later
// Forwards: what they are, and what they are not.
#include "config/value_forward.h"
#include "unit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static struct value_forwards forwards;
static struct fault fault;

static bool parse(const char *value)
{
    const struct config_entry entry = {.argument = "", .value = value};
    fault.text[0] = '\0';
    return value_forwards(&forwards, &entry, NULL, &fault);
}

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t protocol;
        const char *listen, *host, *address;
        uint16_t port, count;
    } cases[] = {
        {"tcp 127.0.0.1:2222 -> db.corp.example:22", IPPROTO_TCP, "127.0.0.1:2222", "db.corp.example", NULL, 22, 1},
        {"udp 127.0.0.1:2222 -> 10.73.0.53:53", IPPROTO_UDP, "127.0.0.1:2222", NULL, "10.73.0.53", 53, 1},
        {"tcp\t[::1]:65535->[fd73::5]:1", IPPROTO_TCP, "[::1]:65535", NULL, "fd73::5", 1, 1},
        {"TCP 0.0.0.0:8000-8009 ->  web-1:9000-9009", IPPROTO_TCP, "0.0.0.0:8000", "web-1", NULL, 9000, 10},
        {"udp [::]:64536-65535 -> [fd73::5]:1-1000", IPPROTO_UDP, "[::]:64536", NULL, "fd73::5", 1, 1000},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[ENDPOINT_TEXT_SIZE];
        CASE(cases[i].text, parse(cases[i].text));
        const struct value_forward *got = &forwards.items[i];
        CASE(cases[i].text, got->protocol == cases[i].protocol);
        CASE(cases[i].text, got->port == cases[i].port && got->count == cases[i].count);
        assert_string_equal(endpoint_text(&got->listen, text), cases[i].listen);
        if (cases[i].host) {
            assert_string_equal(got->host, cases[i].host);
        } else {
            assert_null(got->host);
            assert_string_equal(address_text(&got->address, text), cases[i].address);
        }
    }
    assert_int_equal(forwards.count, COUNT(cases));
    value_forwards_fini(&forwards);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "begins neither"},
        {"127.0.0.1:2222 -> db:22", "begins neither with tcp nor with udp"},
        {"icmp 127.0.0.1:2222 -> db:22", "begins neither"},
        {"tcp", "is not a forward such as"},
        {"tcp 127.0.0.1:2222 db:22", "is not a forward such as"},
        {"tcp -> db:22", "does not listen on"},
        {"tcp 2222 -> db:22", "does not listen on"},
        {"tcp localhost:2222 -> db:22", "does not listen on"},
        {"tcp ::1:2222 -> db:22", "does not listen on"},
        {"tcp [127.0.0.1]:2222 -> db:22", "does not listen on"},
        {"tcp 127.0.0.1:0 -> db:22", "does not listen on"},
        {"tcp 127.0.0.1:65536 -> db:22", "does not listen on"},
        {"tcp 127.0.0.1:9-8 -> db:8-9", "does not listen on"},
        {"tcp 127.0.0.1:8-8 -> db:8", "does not listen on"},
        {"tcp 127.0.0.1:8- -> db:8", "does not listen on"},
        {"tcp 127.0.0.1:-8 -> db:8", "does not listen on"},
        {"tcp 127.0.0.1:8-9-10 -> db:8-10", "does not listen on"},
        {"tcp 127.0.0.1:2222 -> ", "does not lead to"},
        {"tcp 127.0.0.1:2222 -> db", "does not lead to"},
        {"tcp 127.0.0.1:2222 -> :22", "does not lead to"},
        {"tcp 127.0.0.1:2222 -> d b:22", "does not lead to"},
        {"tcp 127.0.0.1:2222 -> 10.73.0.300:22", "does not lead to"},
        {"tcp 127.0.0.1:2222 -> fd73::5:22", "does not lead to"},
        {"tcp 127.0.0.1:2222 -> [db]:22", "does not lead to"},
        {"tcp 127.0.0.1:2222 -> a:22 -> b:22", "does not lead to"},
        {"tcp 127.0.0.1:2222-2223 -> db:22", "has ranges of 2 and 1 ports"},
        {"tcp 127.0.0.1:2222 -> db:22-23", "has ranges of 1 and 2 ports"},
        {"udp [::]:1-65535 -> [fd73::5]:1-65535", "makes more than 1024 ports"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].text, !parse(cases[i].text));
        CASE(fault.text, strstr(fault.text, cases[i].words));
    }
    assert_int_equal(forwards.count, 0);
}

static void test_places_are_apart(void **state)
{
    (void)state;
    assert_true(parse("tcp 127.0.0.1:8000-8009 -> db:8000-8009"));
    assert_false(parse("tcp 127.0.0.1:8009 -> other:1"));
    assert_string_equal(fault.text, "listens where an earlier one does");
    assert_false(parse("tcp 127.0.0.1:7990-8000 -> other:7990-8000"));
    assert_true(parse("udp 127.0.0.1:8009 -> other:1"));
    assert_true(parse("tcp 127.0.0.2:8009 -> other:1"));
    assert_true(parse("tcp 127.0.0.1:8010 -> other:1"));
    assert_true(parse("tcp 127.0.0.1:7999 -> other:1"));
    assert_false(parse("tcp 0.0.0.0:8010 -> other:1")); // has all addresses
    assert_true(parse("tcp [::]:8010 -> other:1"));
    assert_false(parse("tcp [::1]:8010 -> other:1"));
    value_forwards_fini(&forwards);
}

// The bound is on all of a list.
static void test_ports_are_bounded(void **state)
{
    (void)state;
    assert_true(parse("tcp 127.0.0.1:1-1000 -> db:1-1000"));
    assert_true(parse("udp 127.0.0.1:1-24 -> db:1-24"));
    assert_int_equal(value_forwards_ports(&forwards), VALUE_FORWARD_PORTS_MAX);
    assert_false(parse("udp 127.0.0.1:25 -> db:1"));
    assert_string_equal(fault.text, "makes more than 1024 ports");
    value_forwards_fini(&forwards);
}

// What was read is written again the same way, and each port stands for itself.
static void test_ports_and_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"tcp 127.0.0.1:2222 -> db.corp.example:22",
                                        "udp [::1]:8000-8002 -> [fd73::5]:9000-9002", "tcp 127.0.0.1:1 -> 10.73.0.5:2"};
    static const char *const ports[] = {"tcp 127.0.0.1:2222 -> db.corp.example:22", "udp [::1]:8000 -> [fd73::5]:9000",
                                        "udp [::1]:8001 -> [fd73::5]:9001", "udp [::1]:8002 -> [fd73::5]:9002",
                                        "tcp 127.0.0.1:1 -> 10.73.0.5:2"};
    char room[VALUE_FORWARD_TEXT_SIZE];
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(parse(texts[i]));
        assert_string_equal(value_forward_text(&forwards.items[i], room), texts[i]);
    }
    assert_int_equal(value_forwards_ports(&forwards), COUNT(ports));
    for (size_t i = 0; i < COUNT(ports); i++) {
        const struct value_forward port = value_forwards_port(&forwards, i);
        assert_string_equal(value_forward_text(&port, room), ports[i]);
    }
    value_forwards_fini(&forwards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_places_are_apart),
        cmocka_unit_test(test_ports_are_bounded),
        cmocka_unit_test(test_ports_and_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
