// SPDX-License-Identifier: GPL-2.0-or-later
// Pings through raw sockets to loopback, where there is the privilege for them; and echo messages and ICMP errors as
// bytes, without.
#include "dial_rig.h"

#include "edge/dial/echo.h"

static const struct endpoint inside = {.addr = {.version = 4, .bytes = {10, 1, 0, 2}}, .port = 4711};

struct pinging {
    struct rig *rig;
    struct dial_config config;
};

static struct rig *pinging_new(struct pinging *p, const char *allow)
{
    p->config = (struct dial_config){.icmp4_fd = socket_raw_icmp(4), .icmp6_fd = socket_raw_icmp(6)};
    if (p->config.icmp4_fd < 0 || p->config.icmp6_fd < 0)
        skip(); // not root
    p->rig = rig_new(allow, p->config);
    return p->rig;
}

static void pinging_free(struct pinging *p)
{
    rig_free(p->rig);
    close(p->config.icmp4_fd);
    close(p->config.icmp6_fd);
}

static void ping(struct app *app, const char *to, uint16_t sequence, const void *bytes, size_t len)
{
    struct usher_datagram datagram = {.from = inside, .to = {.port = sequence}, .bytes = bytes, .len = len};
    assert_true(address_parse(&datagram.to.addr, to));
    assert_true(usher_session_datagram(app->session, &datagram));
}

static void replies_find_their_sessions(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        uint16_t protocol;
    } cases[] = {{"127.0.0.1", USHER_ICMP}, {"::1", USHER_ICMPV6}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pinging p;
        struct rig *rig = pinging_new(&p, "icmp:127.0.0.0/8, icmp:::1");
        struct app one, two;
        struct address host;
        assert_true(address_parse(&host, cases[i].host));
        app_open(rig, &one, cases[i].protocol, cases[i].host, inside.port);
        app_open(rig, &two, cases[i].protocol, cases[i].host, inside.port); // another host's ping may have the same
        pump(rig, one.opened && two.opened);
        ping(&one, cases[i].host, 1, "first", 5);
        ping(&two, cases[i].host, 65535, "second", 6);
        pump(rig, one.datagram_count == 1 && two.datagram_count == 1);
        settle(rig, 20);
        assert_int_equal(one.datagram_count, 1);
        assert_int_equal(one.datagrams[0].from.port, inside.port);
        assert_int_equal(one.datagrams[0].to.port, 1);
        assert_memory_equal(one.datagrams[0].bytes, "first", 5);
        assert_int_equal(two.datagrams[0].to.port, 65535);
        assert_memory_equal(two.datagrams[0].bytes, "second", 6);
        if (host.version == 4) {
            assert_true(address_equal(&one.datagrams[0].from.addr, &host));
            assert_true(address_equal(&one.datagrams[0].to.addr, &inside.addr));
        }
        usher_session_close(one.session);
        pump(rig, one.ended && exchange_flows(rig->exchange) == 1);
        pinging_free(&p);
    }
}

static void requests_are_judged(void **state)
{
    (void)state;
    struct pinging p;
    struct rig *rig = pinging_new(&p, "icmp:127.0.0.1, tcp:127.0.0.0/8");
    struct app app;
    app_open(rig, &app, USHER_ICMP, "127.0.0.2", inside.port);
    pump(rig, app.ended);
    assert_int_equal(app.word, USHER_DENIED);
    app_open(rig, &app, USHER_ICMP, "127.0.0.1", inside.port);
    pump(rig, app.opened);
    ping(&app, "127.0.0.2", 1, "x", 1);
    ping(&app, "127.0.0.1", 2, "x", 1);
    pump(rig, app.datagram_count == 1);
    settle(rig, 20);
    assert_int_equal(app.datagram_count, 1);
    assert_int_equal(app.datagrams[0].to.port, 2);
    assert_int_equal(dial_counters(rig->dial)->datagrams_denied, 1);
    pinging_free(&p);
}

static void versions_do_not_mix(void **state)
{
    (void)state;
    struct pinging p;
    struct rig *rig = pinging_new(&p, "icmp:127.0.0.1, icmp:::1");
    struct app app;
    app_open(rig, &app, USHER_ICMPV6, "127.0.0.1", 1);
    pump(rig, app.ended);
    assert_int_equal(app.word, USHER_UNREACHABLE);
    app_open(rig, &app, USHER_ICMP, "::1", 1);
    pump(rig, app.ended);
    assert_int_equal(app.word, USHER_UNREACHABLE);
    pinging_free(&p);
}

static void sizes_of_pings(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 56, 57, 8192};
    static uint8_t bytes[8192];
    struct pinging p;
    struct rig *rig = pinging_new(&p, "icmp:127.0.0.1");
    struct app app;
    app_open(rig, &app, USHER_ICMP, "127.0.0.1", inside.port);
    pump(rig, app.opened);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        app.datagram_count = 0;
        ping(&app, "127.0.0.1", (uint16_t)i, bytes, lengths[i]);
        pump(rig, app.datagram_count == 1);
        assert_int_equal(app.datagrams[0].len, lengths[i]);
    }
    pinging_free(&p);
}

static void idle_pings_end(void **state)
{
    (void)state;
    struct pinging p;
    struct rig *rig = pinging_new(&p, "icmp:127.0.0.1");
    struct app app;
    app_open(rig, &app, USHER_ICMP, "127.0.0.1", inside.port);
    pump(rig, app.opened);
    rig->skew_ms = 29 * 1000;
    settle(rig, 10);
    assert_false(app.ended);
    rig->skew_ms = 31 * 1000;
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    assert_int_equal(app.ending, USHER_ENDED_CLOSED);
    pinging_free(&p);
}

// Messages as bytes

static void requests_as_bytes(void **state)
{
    (void)state;
    uint8_t header[ECHO_HEADER];
    echo_request_write(header, 4, 0x1234, 0x0001, (const uint8_t *)"abc", 3);
    // By hand: 0800 + 1234 + 0001 + 6162 + 6300 = de97, and its complement.
    assert_memory_equal(header, "\x08\x00\x21\x68\x12\x34\x00\x01", ECHO_HEADER);
    echo_request_write(header, 6, 0x1234, 0x0001, (const uint8_t *)"abc", 3);
    assert_memory_equal(header, "\x80\x00\x00\x00\x12\x34\x00\x01", ECHO_HEADER);
}

#define IP4(proto, len) "\x45\x00\x00" len "\x00\x00\x00\x00\x40" proto "\x00\x00\x0a\x49\x00\x09\x0a\x49\x00\x01"
#define IP4_OPTIONS     "\x46\x00\x00\x24\x00\x00\x00\x00\x40\x01\x00\x00\x0a\x49\x00\x09\x0a\x49\x00\x01\x01\x01\x01\x01"
#define QUOTED4         "\x45\x00\x00\x1c\x00\x00\x00\x00\x40\x01\x00\x00\x0a\x49\x00\x01\x0a\x49\x00\x42"
#define ECHO4           "\x08\x00\xe5\xca\x12\x34\x00\x01"

static void what_comes_in_version_4(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *packet;
        size_t len;
        bool read;
        int error;
    } cases[] = {
#define PACKET(text) text, sizeof(text) - 1
        {"reply", PACKET(IP4("\x01", "\x1c") "\x00\x00\xed\xca\x12\x34\x00\x01"), true, 0},
        {"reply behind options", PACKET(IP4_OPTIONS "\x00\x00\xed\xca\x12\x34\x00\x01"), true, 0},
        {"wrong checksum", PACKET(IP4("\x01", "\x1c") "\x00\x00\xed\xcb\x12\x34\x00\x01"), false, 0},
        {"short", PACKET(IP4("\x01", "\x1b") "\x00\x00\xed\xca\x12\x34\x00"), false, 0},
        {"not ICMP", PACKET(IP4("\x11", "\x1c") "\x00\x00\xed\xca\x12\x34\x00\x01"), false, 0},
        {"nothing", PACKET(""), false, 0},
        {"header cut", PACKET("\x45\x00\x00\x1c\x00\x00"), false, 0},
        {"header length 16",
         PACKET("\x44\x00\x00\x1c\x00\x00\x00\x00\x40\x01\x00\x00\x0a\x49\x00\x09\x0a\x49\x00\x01"
                "\x00\x00\xed\xca\x12\x34\x00\x01"),
         false, 0},
        {"a request", PACKET(IP4("\x01", "\x1c") ECHO4), false, 0},
        {"host unreachable", PACKET(IP4("\x01", "\x38") "\x03\x01\x63\x0c\x00\x00\x00\x00" QUOTED4 ECHO4), true,
         EHOSTUNREACH},
        {"net unreachable", PACKET(IP4("\x01", "\x38") "\x03\x00\x63\x0d\x00\x00\x00\x00" QUOTED4 ECHO4), true,
         ENETUNREACH},
        {"prohibited", PACKET(IP4("\x01", "\x38") "\x03\x0d\x63\x00\x00\x00\x00\x00" QUOTED4 ECHO4), true, EACCES},
        {"too big", PACKET(IP4("\x01", "\x38") "\x03\x04\x63\x09\x00\x00\x00\x00" QUOTED4 ECHO4), false, 0},
        {"quoting nothing", PACKET(IP4("\x01", "\x1c") "\x03\x01\xfc\xfe\x00\x00\x00\x00"), false, 0},
#undef PACKET
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct echo_news news;
        bool read = echo4_read(&news, (const uint8_t *)cases[i].packet, cases[i].len);
        CASE(cases[i].name, read == cases[i].read);
        if (!read)
            continue;
        CASE(cases[i].name, news.error == cases[i].error && news.id == 0x1234 && news.sequence == 1);
        CASE(cases[i].name, news.from.bytes[3] == (news.error ? 0x42 : 0x09));
    }
}

static void what_comes_in_version_6(void **state)
{
    (void)state;
#define ADDRESS6(last) "\xfd\x73\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" last
#define QUOTED6(next)  "\x60\x00\x00\x00\x00\x08" next "\x40" ADDRESS6("\x01") ADDRESS6("\x42")
#define ECHO6          "\x80\x00\x00\x00\x12\x34\x00\x01"
    static const struct {
        const char *name;
        const char *message;
        size_t len;
        bool read;
        int error;
    } cases[] = {
#define MESSAGE(text) text, sizeof(text) - 1
        {"reply", MESSAGE("\x81\x00\x00\x00\x12\x34\x00\x01"), true, 0},
        {"short", MESSAGE("\x81\x00\x00\x00\x12\x34\x00"), false, 0},
        {"no route", MESSAGE("\x01\x00\x00\x00\x00\x00\x00\x00" QUOTED6("\x3a") ECHO6), true, ENETUNREACH},
        {"prohibited", MESSAGE("\x01\x01\x00\x00\x00\x00\x00\x00" QUOTED6("\x3a") ECHO6), true, EACCES},
        {"address unreachable", MESSAGE("\x01\x03\x00\x00\x00\x00\x00\x00" QUOTED6("\x3a") ECHO6), true, EHOSTUNREACH},
        {"too big", MESSAGE("\x02\x00\x00\x00\x00\x00\x05\x00" QUOTED6("\x3a") ECHO6), false, 0},
        {"about something else", MESSAGE("\x01\x03\x00\x00\x00\x00\x00\x00" QUOTED6("\x06") ECHO6), false, 0},
        {"cut", MESSAGE("\x01\x03\x00\x00\x00\x00\x00\x00" QUOTED6("\x3a") "\x80\x00\x00\x00\x12\x34"), false, 0},
#undef MESSAGE
    };
    const struct address from = {.version = 6, .bytes = ADDRESS6("\x42")};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct echo_news news;
        bool read = echo6_read(&news, &from, (const uint8_t *)cases[i].message, cases[i].len);
        CASE(cases[i].name, read == cases[i].read);
        if (read)
            CASE(cases[i].name, news.error == cases[i].error && news.id == 0x1234 && news.sequence == 1 &&
                                    address_equal(&news.from, &from));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_find_their_sessions),
        cmocka_unit_test(requests_are_judged),
        cmocka_unit_test(versions_do_not_mix),
        cmocka_unit_test(sizes_of_pings),
        cmocka_unit_test(idle_pings_end),
        cmocka_unit_test(requests_as_bytes),
        cmocka_unit_test(what_comes_in_version_4),
        cmocka_unit_test(what_comes_in_version_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
