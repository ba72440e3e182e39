// SPDX-License-Identifier: GPL-2.0-or-later
// Everything goes to this host: what was asked for is judged as it stands, then the same port of loopback is reached, and
// answers come from the address that was asked. Real sockets on loopback.
#include "dial_rig.h"

#include "edge/local/local.h"

static const struct dial_config here = {.translate = &local_translate};
static const struct endpoint inside = {.addr = {.version = 4, .bytes = {10, 1, 0, 2}}, .port = 5000};

// The gate's own addresses are 10.73.0.1 and fd73::1.
static struct rig *local_new(const char *allow, struct dial_config config)
{
    struct prefix own[2];
    struct rig *rig = rig_new(allow, config);
    assert_true(prefix_parse(&own[0], "10.73.0.1") && prefix_parse(&own[1], "fd73::1"));
    policy_set_local(rig->policy, own, 2);
    return rig;
}

static struct endpoint far(const char *host, uint16_t port)
{
    struct endpoint end = {.port = port};
    assert_true(address_parse(&end.addr, host));
    return end;
}

enum { NOBODY, ON4, ON6 }; // who listens
enum { OPENS = USHER_WORDS };

static void what_is_asked_for_is_judged_and_loopback_is_reached(void **state)
{
    (void)state;
    static const struct {
        const char *allow; // %u: the port
        uint16_t protocol;
        const char *host;
        int listens;
        unsigned outcome;
    } cases[] = {
        {"tcp:10.73.0.1", USHER_TCP, "10.73.0.1", ON4, OPENS},
        {"tcp:10.73.0.1", USHER_TCP, "10.73.0.1", ON6, OPENS}, // the second choice
        {"tcp:fd73::1", USHER_TCP, "fd73::1", ON6, OPENS},
        {"tcp:fd73::1", USHER_TCP, "fd73::1", ON4, OPENS},
        {"tcp:10.73.0.1", USHER_TCP, "10.73.0.1", NOBODY, USHER_REFUSED},
        {"tcp:fd73::1", USHER_TCP, "fd73::1", NOBODY, USHER_REFUSED},
        {"tcp:10.73.0.1:%u", USHER_TCP, "10.73.0.1", ON4, OPENS},
        {"tcp:10.73.0.1:1", USHER_TCP, "10.73.0.1", ON4, USHER_DENIED},
        {"tcp:10.73.0.1", USHER_UDP, "10.73.0.1", ON4, USHER_DENIED},
        {"udp:10.73.0.1", USHER_TCP, "10.73.0.1", ON4, USHER_DENIED},
        {"tcp:10.73.0.2", USHER_TCP, "10.73.0.1", ON4, USHER_DENIED},
        {"10.0.0.0/8", USHER_TCP, "10.73.0.1", ON4, USHER_DENIED}, // its own, and not named
        {"10.0.0.0/8", USHER_TCP, "10.80.0.5", ON4, OPENS},        // nobody's, and so here too
        {"tcp:10.73.0.1", USHER_TCP, "fd73::1", ON6, USHER_DENIED},
        {"tcp:10.73.0.1", USHER_TCP, "127.0.0.1", ON4, USHER_DENIED}, // asked for by itself it stays guarded
        {"0.0.0.0/0, ::/0", USHER_TCP, "127.0.0.1", ON4, USHER_DENIED},
        {"0.0.0.0/0, ::/0", USHER_TCP, "::1", ON6, USHER_DENIED},
        {"tcp:127.0.0.1", USHER_TCP, "127.0.0.1", ON4, OPENS},
        {"tcp:127.0.0.1", USHER_TCP, "10.73.0.1", ON4, USHER_DENIED},
        // Names, of which nobody could resolve one here.
        {"tcp:*.corp.example:%u", USHER_TCP, "box.corp.example", ON4, OPENS},
        {"tcp:*.corp.example:%u", USHER_TCP, "box.corp.example", ON6, OPENS},
        {"tcp:*.corp.example", USHER_TCP, "box.corp.example", NOBODY, USHER_REFUSED},
        {"tcp:*.corp.example:1", USHER_TCP, "box.corp.example", ON4, USHER_DENIED},
        {"udp:*.corp.example", USHER_TCP, "box.corp.example", ON4, USHER_DENIED},
        {"tcp:*.corp.example", USHER_TCP, "box.other.example", ON4, USHER_DENIED},
        {"tcp:*.corp.example", USHER_TCP, "bad name", ON4, USHER_RESOLVE},
        {"10.0.0.0/8", USHER_TCP, "box.corp.example", ON4, USHER_DENIED},
        {"0.0.0.0/0, ::/0", USHER_TCP, "box.corp.example", ON4, USHER_DENIED},
        {"tcp:127.0.0.1:%u", USHER_TCP, "box.corp.example", ON4, OPENS}, // judged as where it would go
        {"tcp:[::1]:%u", USHER_TCP, "box.corp.example", ON6, OPENS},
        {"tcp:[::1]", USHER_TCP, "box.corp.example", ON4, USHER_REFUSED}, // the other one is not allowed
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint at;
        struct app app;
        char allow[100], name[200];
        int listener = serve(cases[i].listens == ON6 ? "::1" : "127.0.0.1", SOCK_STREAM, &at);
        if (cases[i].listens == NOBODY)
            close(listener);
        snprintf(allow, sizeof allow, cases[i].allow, at.port);
        snprintf(name, sizeof name, "%s to %s", allow, cases[i].host);
        struct rig *rig = local_new(allow, here);
        app_open(rig, &app, cases[i].protocol, cases[i].host, at.port);
        pump(rig, app.opened || app.ended);
        CASE(name, cases[i].outcome == OPENS ? app.opened : app.ended && app.word == cases[i].outcome);
        rig_free(rig);
        if (cases[i].listens != NOBODY)
            close(listener);
    }
}

// Datagrams

static void send_datagram(struct app *app, const struct endpoint *to, const char *text)
{
    const struct usher_datagram datagram = {
        .from = inside, .to = *to, .bytes = (const uint8_t *)text, .len = strlen(text)};
    assert_true(usher_session_datagram(app->session, &datagram));
}

// What it gets goes back in capitals; false: nothing was there.
static bool answer_one(int fd, int from_fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char room[100];
    ssize_t n = recvfrom(fd, room, sizeof room, MSG_DONTWAIT, (struct sockaddr *)&sa, &len);
    for (ssize_t i = 0; i < n; i++)
        room[i] = (char)(room[i] - 'a' + 'A');
    return n > 0 && sendto(from_fd, room, (size_t)n, 0, (struct sockaddr *)&sa, len) == n;
}

static void datagrams_are_answered_by_whom_was_asked(void **state)
{
    (void)state;
    struct rig *rig = local_new("udp:10.73.0.1, udp:10.80.0.0/24", here);
    struct endpoint at[3];
    struct app app;
    int server[3];
    for (int i = 0; i < 3; i++)
        server[i] = serve("127.0.0.1", SOCK_DGRAM, &at[i]);
    const struct {
        const char *host;
        int asked, answers; // which server
        const char *as;
    } cases[] = {
        {"10.73.0.1", 0, 0, "10.73.0.1"}, {"10.80.0.5", 1, 1, "10.80.0.5"},
        {"10.73.0.1", 0, 0, "10.73.0.1"}, {"10.80.0.5", 0, 0, "10.80.0.5"}, // two in one place: the latest
        {"10.80.0.6", 1, 0, "10.80.0.5"}, // by the port, though another was asked since
        {"10.80.0.7", 1, 2, "10.80.0.7"}, // another port of the latest
    };
    app_open(rig, &app, USHER_UDP, "10.73.0.1", at[0].port);
    pump(rig, app.opened);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint to = far(cases[i].host, at[cases[i].asked].port);
        struct endpoint as = far(cases[i].as, at[cases[i].answers].port);
        app.datagram_count = 0;
        send_datagram(&app, &to, "question");
        pump(rig, answer_one(server[cases[i].asked], server[cases[i].answers]));
        pump(rig, app.datagram_count == 1);
        CASE(cases[i].host, endpoint_equal(&app.datagrams[0].from, &as));
        CASE(cases[i].host, endpoint_equal(&app.datagrams[0].to, &inside));
        assert_memory_equal(app.datagrams[0].bytes, "QUESTION", 8);
    }
    struct endpoint to = far("10.81.0.1", at[0].port), loopback = far("127.0.0.1", at[0].port);
    send_datagram(&app, &to, "x");
    send_datagram(&app, &loopback, "x");
    settle(rig, 20);
    assert_false(answer_one(server[0], server[0]));
    assert_int_equal(dial_counters(rig->dial)->datagrams_denied, 2);
    for (int i = 0; i < 3; i++)
        close(server[i]);
    rig_free(rig);
}

// Version 6 and names have one far end, and so no addresses.
static void datagrams_to_one_far_end(void **state)
{
    (void)state;
    static const struct {
        const char *host, *served;
    } cases[] = {{"fd73::1", "::1"}, {"box.corp.example", "127.0.0.1"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *rig = local_new("udp:fd73::1, udp:*.corp.example", here);
        struct endpoint at, none = {0};
        struct app app;
        int server = serve(cases[i].served, SOCK_DGRAM, &at);
        app_open(rig, &app, USHER_UDP, cases[i].host, at.port);
        pump(rig, app.opened);
        send_datagram(&app, &none, "question");
        pump(rig, answer_one(server, server));
        pump(rig, app.datagram_count == 1);
        CASE(cases[i].host, app.datagrams[0].from.addr.version == 0 || app.datagrams[0].from.addr.bytes[0] == 0);
        close(server);
        send_datagram(&app, &none, "nobody is there");
        pump(rig, app.ended);
        CASE(cases[i].host, app.ending == USHER_ENDED_RESET && app.word == USHER_REFUSED);
        rig_free(rig);
    }
}

// A service can tell by it who comes.
static void loopback_is_come_to_from_the_source(void **state)
{
    (void)state;
    struct dial_config config = here;
    struct endpoint at, seen;
    struct app app;
    int taken = -1;
    assert_true(address_parse(&config.source.v4, "127.0.0.9"));
    struct rig *rig = local_new("tcp:10.73.0.1", config);
    int server = serve("127.0.0.1", SOCK_STREAM, &at);
    app_open(rig, &app, USHER_TCP, "10.73.0.1", at.port);
    pump(rig, app.opened && (taken >= 0 || (taken = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0));
    assert_true(socket_peer(taken, &seen) && address_equal(&seen.addr, &config.source.v4));
    close(taken);
    close(server);
    rig_free(rig);
}

// Pings

static void pings_are_answered_by_whom_was_asked(void **state)
{
    (void)state;
    static const char *const hosts[] = {"10.73.0.1", "10.80.0.5", "10.73.0.1", "10.80.0.6"};
    struct dial_config config = here;
    config.icmp4_fd = socket_raw_icmp(4);
    config.icmp6_fd = socket_raw_icmp(6);
    if (config.icmp4_fd < 0 || config.icmp6_fd < 0)
        skip(); // not root
    struct rig *rig = local_new("icmp:10.73.0.1, icmp:10.80.0.0/24, icmp:fd73::1, icmp:*.corp.example", config);
    struct app app;
    app_open(rig, &app, USHER_ICMP, "10.73.0.1", inside.port);
    pump(rig, app.opened);
    for (uint16_t i = 0; i < COUNT(hosts); i++) { // all in one turn
        struct endpoint to = far(hosts[i], i);
        send_datagram(&app, &to, "ping");
    }
    pump(rig, app.datagram_count == COUNT(hosts));
    for (uint16_t i = 1; i < COUNT(hosts); i++) { // of the first, asked twice, one sequence number is remembered
        struct address asked = far(app.datagrams[i].to.port == 0 ? hosts[0] : hosts[app.datagrams[i].to.port], 0).addr;
        CASE(hosts[i], address_equal(&app.datagrams[i].from.addr, &asked));
    }
    struct endpoint denied = far("10.81.0.1", 9);
    send_datagram(&app, &denied, "ping");
    settle(rig, 20);
    assert_int_equal(app.datagram_count, COUNT(hosts));
    assert_int_equal(dial_counters(rig->dial)->datagrams_denied, 1);
    static const struct {
        uint16_t protocol;
        const char *host;
        bool allowed;
    } others[] = {
        {USHER_ICMPV6, "fd73::1", true},          {USHER_ICMPV6, "box.corp.example", true},
        {USHER_ICMP, "box.corp.example", true},   {USHER_ICMPV6, "fd73::2", false},
        {USHER_ICMP, "box.other.example", false}, {USHER_ICMP, "10.81.0.1", false},
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        struct endpoint to = {.port = 7};
        app_open(rig, &app, others[i].protocol, others[i].host, inside.port);
        pump(rig, app.opened || app.ended);
        CASE(others[i].host, others[i].allowed ? app.opened : app.ended && app.word == USHER_DENIED);
        if (!app.opened)
            continue;
        send_datagram(&app, &to, "ping");
        pump(rig, app.datagram_count == 1);
        CASE(others[i].host, app.datagrams[0].to.port == 7);
    }
    rig_free(rig);
    close(config.icmp4_fd);
    close(config.icmp6_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_is_judged_and_loopback_is_reached),
        cmocka_unit_test(datagrams_are_answered_by_whom_was_asked),
        cmocka_unit_test(datagrams_to_one_far_end),
        cmocka_unit_test(loopback_is_come_to_from_the_source),
        cmocka_unit_test(pings_are_answered_by_whom_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
