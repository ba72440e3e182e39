// SPDX-License-Identifier: GPL-2.0-or-later
// TCP sessions against real servers on loopback: opening and how it fails, every order of ending, resets from either
// side, stalls, limits, and that nothing spins or is left behind.
#include "dial_rig.h"
#include "nameserver.h"

#include "edge/relay/stream.h"

static const char allowed[] = "127.0.0.0/8, ::1/128, *.test";
static const struct dial_config plain;

static uint16_t closed_port(const char *host)
{
    struct endpoint at;
    close(serve(host, SOCK_STREAM, &at));
    return at.port;
}

static void opens_and_how_they_fail(void **state)
{
    (void)state;
    struct rig *rig = rig_new("tcp:127.0.0.1:1-65535, tcp:[::1]", plain);
    struct app app;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        int fd = connect_app(rig, &app, hosts[i]);
        assert_int_equal(exchange_flows(rig->exchange), 1);
        close(fd);
        app_send(&app, 0, true);
        pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
        assert_int_equal(app.ending, USHER_ENDED_CLOSED);

        app_open(rig, &app, USHER_TCP, hosts[i], closed_port(hosts[i]));
        pump(rig, app.ended);
        assert_int_equal(app.ending, USHER_ENDED_REFUSED);
        assert_int_equal(app.word, USHER_REFUSED);
        assert_non_null(strstr(app.text, "Connection refused"));
    }
    static const struct {
        const char *host;
        uint16_t protocol;
        enum usher_word word;
        const char *text;
    } bad[] = {
        {"127.0.0.2", USHER_TCP, USHER_DENIED, "not permitted"},
        {"0.0.0.0", USHER_TCP, USHER_DENIED, "not permitted"},
        {"::ffff:127.0.0.2", USHER_TCP, USHER_DENIED, "not permitted"},
        {"fe80::1", USHER_TCP, USHER_DENIED, "not permitted"},
        {"127.0.0.1", USHER_UDP, USHER_DENIED, "not permitted"},
        {"127.1", USHER_TCP, USHER_RESOLVE, "not a host name"},
        {"2130706433", USHER_TCP, USHER_RESOLVE, "not a host name"},
        {"bad name", USHER_TCP, USHER_RESOLVE, "not a host name"},
        {"host.example", USHER_TCP, USHER_RESOLVE, "names are not resolved here"},
        {"127.0.0.1", USHER_ICMP, USHER_UNSUPPORTED, ""},
        {"::1", USHER_ICMPV6, USHER_UNSUPPORTED, ""},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        app_open(rig, &app, bad[i].protocol, bad[i].host, 80);
        pump(rig, app.ended);
        CASE(bad[i].host, app.ending == USHER_ENDED_REFUSED && app.word == bad[i].word);
        CASE(bad[i].host, strstr(app.text, bad[i].text));
    }
    assert_int_equal(dial_counters(rig->dial)->connects, 2);
    assert_int_equal(dial_counters(rig->dial)->denied, 5);
    assert_int_equal(exchange_flows(rig->exchange), 0);
    rig_free(rig);
}

// A listener whose queue is full lets further connections hang.
static int full_listener(struct endpoint *at, int fillers[4])
{
    int listener = serve("127.0.0.1", SOCK_STREAM, at);
    assert_int_equal(listen(listener, 0), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket_stream(4);
        socket_connect(fillers[i], at);
    }
    return listener;
}

static void silence_is_a_timeout(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct endpoint at;
    int fillers[4];
    int listener = full_listener(&at, fillers);
    app_open(rig, &app, USHER_TCP, "127.0.0.1", at.port);
    settle(rig, 20);
    assert_false(app.ended);
    rig->skew_ms = 9900;
    settle(rig, 20);
    assert_false(app.ended);
    rig->skew_ms = 10100;
    pump(rig, app.ended);
    assert_int_equal(app.word, USHER_TIMEOUT);
    assert_int_equal(exchange_flows(rig->exchange), 0);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(listener);
    rig_free(rig);
}

// A host that does not answer must not use up everybody's places.
static void who_waits_for_long_gives_way(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, (struct dial_config){.max_flows = 4, .max_connecting = 2});
    struct app apps[4];
    struct endpoint full;
    int fillers[4];
    int full_fd = full_listener(&full, fillers);
    for (int i = 0; i < 3; i++)
        app_open(rig, &apps[i], USHER_TCP, "127.0.0.1", full.port);
    pump(rig, apps[2].ended);
    usec_t later = clock_now() + 1100 * USEC_PER_MSEC;
    pump(rig, clock_now() >= later);
    assert_false(apps[0].ended || apps[1].ended);
    app_open(rig, &apps[3], USHER_TCP, "127.0.0.1", full.port);
    pump(rig, apps[0].ended);
    assert_int_equal(apps[0].word, USHER_TIMEOUT);
    assert_false(apps[1].ended || apps[3].ended);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(full_fd);
    rig_free(rig);
}

static void opens_above_a_limit_are_refused(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, (struct dial_config){.max_flows = 4, .max_connecting = 2});
    struct app apps[6];
    struct endpoint at, full;
    int fillers[4];
    int listener = serve("127.0.0.1", SOCK_STREAM, &at), full_fd = full_listener(&full, fillers);
    // Two connect for ever, the third is one too many.
    for (int i = 0; i < 3; i++)
        app_open(rig, &apps[i], USHER_TCP, "127.0.0.1", full.port);
    pump(rig, apps[2].ended);
    assert_int_equal(apps[2].word, USHER_LIMIT);
    assert_false(apps[0].ended || apps[1].ended);
    // Giving one up frees its place, at once.
    usher_session_reset(apps[0].session, USHER_FAILED, "");
    pump(rig, exchange_flows(rig->exchange) == 1);
    for (int i = 2; i < 6; i++) {
        app_open(rig, &apps[i], USHER_TCP, "127.0.0.1", at.port);
        pump(rig, apps[i].opened || apps[i].ended);
    }
    assert_true(apps[2].opened && apps[3].opened && apps[4].opened);
    assert_int_equal(apps[5].word, USHER_LIMIT);
    assert_int_equal(dial_counters(rig->dial)->limited, 2);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(full_fd);
    close(listener);
    rig_free(rig);
}

static void the_application_finishes_first(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    uint64_t got = 0, put = 0;
    int fd = connect_app(rig, &app, "127.0.0.1");
    app_send(&app, 100000, true);
    pump(rig, read_pattern(fd, &got)); // to the end
    assert_int_equal(got, 100000);
    assert_false(app.ended || app.finished);
    // The other half is open still.
    pump(rig, write_pattern(fd, &put, 200000));
    pump(rig, app.received == 200000);
    close(fd);
    pump(rig, app.ended);
    assert_true(app.finished && !app.spoilt);
    assert_int_equal(app.ending, USHER_ENDED_CLOSED);
    pump(rig, exchange_flows(rig->exchange) == 0);
    rig_free(rig);
}

static void the_server_finishes_first(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    uint64_t got = 0, put = 0;
    int fd = connect_app(rig, &app, "::1");
    assert_true(write_pattern(fd, &put, 1000));
    shutdown(fd, SHUT_WR);
    pump(rig, app.finished);
    assert_int_equal(app.received, 1000);
    assert_true(idle_turns(rig, 50) < 10);
    app_send(&app, 50000, false);
    pump(rig, (read_pattern(fd, &got), got == 50000));
    assert_false(app.ended);
    app_send(&app, 1, true);
    pump(rig, read_pattern(fd, &got));
    assert_int_equal(got, 50001);
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    assert_int_equal(app.ending, USHER_ENDED_CLOSED);
    close(fd);
    rig_free(rig);
}

// Everything that a server says and its end come before the gate looks: one event tells all of it.
static void an_end_behind_few_bytes_is_not_lost(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 100, USHER_SEND_MAX, 40000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct rig *rig = rig_new(allowed, plain);
        struct app app;
        struct endpoint at;
        uint64_t put = 0;
        int listener = serve("127.0.0.1", SOCK_STREAM, &at), fd = -1;
        app_open(rig, &app, USHER_TCP, "127.0.0.1", at.port);
        carry(rig, rig->portal, rig->gate, clock_now()); // connects; the loop does not run yet
        while (fd < 0)
            fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        assert_true(write_pattern(fd, &put, sizes[i]));
        shutdown(fd, SHUT_WR);
        pump(rig, app.finished);
        assert_int_equal(app.received, sizes[i]);
        assert_false(app.spoilt || app.ended);
        assert_true(idle_turns(rig, 20) < 10);
        app_send(&app, 0, true);
        pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
        assert_int_equal(app.ending, USHER_ENDED_CLOSED);
        close(fd);
        close(listener);
        rig_free(rig);
    }
}

static void set_linger(int fd)
{
    const struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
}

// Many edges in one turn; what each flow gets is its own, whichever flows end over it.
// How much a server can send to an application that takes nothing.
static uint64_t credit_of_one_that_stalls(void)
{
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    uint64_t put = 0;
    int fd = connect_app(rig, &app, "127.0.0.1");
    app.stalled = true;
    for (int i = 0; i < 20; i++) {
        write_pattern(fd, &put, 2 << 20);
        settle(rig, 10);
    }
    uint64_t credit = app.received;
    close(fd);
    usher_session_reset(app.session, USHER_FAILED, "enough");
    pump(rig, exchange_flows(rig->exchange) == 0);
    rig_free(rig);
    return credit;
}

// All that it may send has been sent, and nothing is taken: the end arrives all the same, whenever it comes.
static void an_end_needs_no_credit(void **state)
{
    (void)state;
    uint64_t credit = credit_of_one_that_stalls();
    for (int at_once = 0; at_once < 2; at_once++) {
        struct rig *rig = rig_new(allowed, plain);
        struct app app;
        uint64_t put = 0;
        int fd = connect_app(rig, &app, "127.0.0.1");
        app.stalled = true;
        while (!write_pattern(fd, &put, credit))
            settle(rig, 1);
        if (!at_once)
            pump(rig, app.received == credit);
        shutdown(fd, SHUT_WR);
        pump(rig, app.finished);
        assert_int_equal(app.received, credit);
        assert_false(app.spoilt);
        app_unstall(&app);
        app_send(&app, 0, true);
        pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
        assert_int_equal(app.ending, USHER_ENDED_CLOSED);
        close(fd);
        rig_free(rig);
    }
}

// Bytes do need it, and the end stays behind them.
static void an_end_behind_bytes_waits_with_them(void **state)
{
    (void)state;
    uint64_t all = credit_of_one_that_stalls() + 1, put = 0;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    int fd = connect_app(rig, &app, "127.0.0.1");
    app.stalled = true;
    while (!write_pattern(fd, &put, all))
        settle(rig, 1);
    shutdown(fd, SHUT_WR);
    settle(rig, 50);
    assert_true(app.received < all && !app.finished);
    assert_true(idle_turns(rig, 50) < 10);
    app_unstall(&app);
    app.stalled = false;
    pump(rig, app.finished);
    assert_int_equal(app.received, all);
    app_send(&app, 0, true);
    pump(rig, app.ended && exchange_flows(rig->exchange) == 0);
    close(fd);
    rig_free(rig);
}

static void many_at_once(void **state)
{
    (void)state;
    enum { FLOWS = 300 };
    static struct app apps[FLOWS];
    static int fds[FLOWS];
    struct rig *rig = rig_new(allowed, (struct dial_config){.max_connecting = FLOWS});
    for (int i = 0; i < FLOWS; i++)
        fds[i] = connect_app(rig, &apps[i], "127.0.0.1");
    for (int i = 0; i < FLOWS; i++) {
        uint64_t put = 0;
        assert_true(write_pattern(fds[i], &put, 100 + (uint64_t)i));
        if (i % 3 == 1)
            set_linger(fds[i]);
        if (i % 3 != 0)
            close(fds[i]);
    }
    for (int i = 0; i < FLOWS; i++) {
        if (i % 3 == 0) {
            pump(rig, apps[i].received == 100 + (uint64_t)i);
            usher_session_reset(apps[i].session, USHER_FAILED, "");
            close(fds[i]);
        } else if (i % 3 == 1) {
            pump(rig, apps[i].ended);
            assert_int_equal(apps[i].ending, USHER_ENDED_RESET);
        } else {
            pump(rig, apps[i].finished);
            assert_int_equal(apps[i].received, 100 + i);
            app_send(&apps[i], 0, true);
        }
        assert_false(apps[i].spoilt);
    }
    pump(rig, exchange_flows(rig->exchange) == 0);
    rig_free(rig);
}

static void a_reset_from_the_server_resets_the_session(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t put;      // by the server before the reset
        bool stalled;      // the application takes nothing
        bool half_closed;  // the server had finished before
        bool app_finished; // the application had
    } cases[] = {
        {"idle", 0, false, false, false},
        {"after some bytes", 1000, false, false, false},
        {"while its bytes wait for credit", 500000, true, false, false},
        {"after its end", 0, false, true, false},
        {"after the application's end", 0, false, false, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *rig = rig_new(allowed, plain);
        struct app app;
        uint64_t put = 0;
        int fd = connect_app(rig, &app, "127.0.0.1");
        app.stalled = cases[i].stalled;
        if (cases[i].stalled) {
            write_pattern(fd, &put, cases[i].put);
            settle(rig, 50);
            CASE(cases[i].name, app.received >= USHER_WINDOW_START && app.received < put);
            CASE(cases[i].name, idle_turns(rig, 50) < 10); // paused, not spinning
        } else {
            pump(rig, write_pattern(fd, &put, cases[i].put) && app.received == put);
        }
        if (cases[i].half_closed) {
            shutdown(fd, SHUT_WR);
            pump(rig, app.finished);
        }
        if (cases[i].app_finished) {
            app_send(&app, 0, true);
            settle(rig, 20);
        }
        set_linger(fd);
        close(fd);
        pump(rig, app.ended);
        CASE(cases[i].name, app.ending == USHER_ENDED_RESET && app.word == USHER_FAILED && !app.spoilt);
        pump(rig, exchange_flows(rig->exchange) == 0);
        rig_free(rig);
    }
}

// A server that answers without reading all it was sent, and closes: the kernel makes a reset of that.
static void what_came_before_a_reset_is_delivered(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    uint64_t put = 0;
    int fd = connect_app(rig, &app, "127.0.0.1");
    app_send(&app, 1000, false);
    settle(rig, 20);
    rig->blocked = true;
    assert_true(write_pattern(fd, &put, 50000));
    close(fd);
    settle(rig, 20);
    assert_false(app.ended);
    rig->blocked = false;
    pump(rig, app.ended);
    assert_int_equal(app.received, 50000);
    assert_int_equal(app.ending, USHER_ENDED_RESET);
    rig_free(rig);
}

static void a_reset_from_the_application_reaches_the_server(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    char byte;
    int fd = connect_app(rig, &app, "127.0.0.1");
    usher_session_reset(app.session, USHER_FAILED, "gone");
    pump(rig, exchange_flows(rig->exchange) == 0);
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    rig_free(rig);
}

static void a_lost_tunnel_is_a_reset(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    char byte;
    int fd = connect_app(rig, &app, "127.0.0.1");
    usher_engine_end(rig->gate, "test");
    assert_int_equal(exchange_flows(rig->exchange), 0);
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    rig_free(rig);
}

static void much_both_ways_with_stalls(void **state)
{
    (void)state;
    enum { MUCH = 6 << 20 };
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    uint64_t got = 0, put = 0;
    bool end = false;
    int fd = connect_app(rig, &app, "127.0.0.1");
    app_send(&app, MUCH, true);
    for (unsigned i = 0; !app.ended; i++) {
        assert_true(i < 1000000);
        rig->blocked = (i >> 4) % 3 == 1;
        if ((i >> 5) % 4 != 2)
            end = end || read_pattern(fd, &got);
        if (put < MUCH && write_pattern(fd, &put, MUCH))
            shutdown(fd, SHUT_WR);
        if (app.stalled && (i >> 3) % 5 != 0)
            app_unstall(&app);
        else
            app.stalled = (i >> 3) % 5 == 0;
        turn(rig, UV_RUN_NOWAIT);
    }
    pump(rig, end || read_pattern(fd, &got));
    assert_int_equal(got, MUCH);
    assert_int_equal(app.received, MUCH);
    assert_false(app.spoilt);
    assert_int_equal(app.ending, USHER_ENDED_CLOSED);
    pump(rig, exchange_flows(rig->exchange) == 0);
    close(fd);
    rig_free(rig);
}

// Fills the server's buffers until the gate has bytes queued, and lets both sides end in order.
static int leave_undrained(struct rig *rig, struct app *app)
{
    int fd = connect_app(rig, app, "127.0.0.1");
    // In steps well below the credit: without any left not even the end could be sent.
    do {
        app_send(app, 20000, false);
        settle(rig, 2);
    } while (chunk_pool_held(rig->pool) == 0);
    shutdown(fd, SHUT_WR);
    app_send(app, 0, true);
    pump(rig, app->ended);
    assert_int_equal(app->ending, USHER_ENDED_CLOSED);
    assert_int_equal(exchange_flows(rig->exchange), 1);
    assert_true(idle_turns(rig, 50) < 10);
    return fd;
}

static void the_rest_is_written_after_the_session(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    uint64_t got = 0;
    int fd = leave_undrained(rig, &app);
    // A few minutes are no reason to give up.
    rig->skew_ms = 4 * 60 * 1000;
    settle(rig, 5);
    pump(rig, read_pattern(fd, &got));
    assert_int_equal(got, app.sent);
    pump(rig, exchange_flows(rig->exchange) == 0);
    close(fd);
    rig_free(rig);
}

static void a_server_that_takes_nothing_is_given_up(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    int fd = leave_undrained(rig, &app);
    rig->skew_ms = 5 * 60 * 1000 + 1000;
    pump(rig, exchange_flows(rig->exchange) == 0);
    assert_int_equal(socket_error(fd), ECONNRESET);
    close(fd);
    rig_free(rig);
}

static void urgent_bytes_stay_in_the_stream(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    int fd = connect_app(rig, &app, "127.0.0.1");
    const uint8_t bytes[] = {pattern(0), pattern(1), pattern(2)};
    assert_int_equal(send(fd, bytes, 2, MSG_OOB), 2);
    assert_int_equal(send(fd, bytes + 2, 1, 0), 1);
    pump(rig, app.received == 3);
    assert_false(app.spoilt);
    assert_true(idle_turns(rig, 50) < 10);
    // Urgent and stalled: still nothing spins, and a reset is noticed.
    rig->blocked = true;
    assert_int_equal(send(fd, "x", 1, MSG_OOB), 1);
    assert_true(idle_turns(rig, 50) < 10);
    rig->blocked = false;
    set_linger(fd);
    close(fd);
    pump(rig, app.ended);
    assert_int_equal(app.ending, USHER_ENDED_RESET);
    rig_free(rig);
}

static void stalls_do_not_spin(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    uint64_t put = 0, got = 0;
    int fd = connect_app(rig, &app, "127.0.0.1");
    rig->blocked = true;
    assert_true(write_pattern(fd, &put, 100000));
    assert_true(idle_turns(rig, 50) < 10);
    shutdown(fd, SHUT_WR); // an end that nobody takes
    assert_true(idle_turns(rig, 50) < 10);
    app_send(&app, 10, true); // and both halves are closed
    pump(rig, read_pattern(fd, &got));
    assert_true(idle_turns(rig, 50) < 10);
    rig->blocked = false;
    pump(rig, app.ended);
    assert_int_equal(app.received, 100000);
    close(fd);
    rig_free(rig);
}

static void a_peer_that_takes_no_more(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    uint64_t put = 0, got = 0;
    int fd = connect_app(rig, &app, "127.0.0.1");
    app_send(&app, 1000, false);
    usher_session_close(app.session); // both directions
    pump(rig, app.ended);
    write_pattern(fd, &put, 10);
    pump(rig, exchange_flows(rig->exchange) == 0);
    read_pattern(fd, &got);
    assert_int_equal(got, 1000);
    close(fd);
    rig_free(rig);
}

static void names_are_resolved_and_judged(void **state)
{
    (void)state;
    struct nameserver server;
    assert_true(nameserver_start(&server));
    static const struct {
        const char *allow;
        const char *host;
        enum usher_word word; // USHER_WORDS: it connects
    } cases[] = {
        {"tcp:*.test, 127.0.0.9/32", "near4.test", USHER_WORDS}, // the other address fails or is silent
        {"tcp:near4.test, 127.0.0.9/32", "NEAR4.test.", USHER_WORDS},
        {"127.0.0.9/32", "near4.test", USHER_WORDS},
        {"tcp:near4.test", "near4.test", USHER_UNREACHABLE}, // the name does not open loopback
        {"tcp:near4.test, 127.0.0.8/32", "two.test", USHER_DENIED},
        {"tcp:*.test", "none.test", USHER_RESOLVE},
        {"tcp:*.test", "empty.test", USHER_RESOLVE},
        {"tcp:*.test:1", "near4.test", USHER_DENIED},
        {"udp:*.test", "near4.test", USHER_DENIED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint at;
        struct app app;
        struct rig *rig =
            rig_new_named(cases[i].allow, (struct dial_config){.connect_timeout_ms = 1000}, server.servers);
        int listener = serve("127.0.0.9", SOCK_STREAM, &at);
        app_open(rig, &app, USHER_TCP, cases[i].host, at.port);
        pump(rig, app.opened || app.ended);
        if (cases[i].word == USHER_WORDS)
            CASE(cases[i].host, app.opened);
        else if (cases[i].word == USHER_UNREACHABLE) // 2001:db8::1 was allowed, and leads nowhere
            CASE(cases[i].host, app.word == USHER_UNREACHABLE || app.word == USHER_TIMEOUT);
        else
            CASE(cases[i].host, app.ended && app.word == cases[i].word);
        close(listener);
        rig_free(rig);
    }
    nameserver_stop(&server);
}

static void a_name_given_up_is_forgotten(void **state)
{
    (void)state;
    struct nameserver server;
    assert_true(nameserver_start(&server));
    struct app app;
    struct rig *rig = rig_new_named("*.test", plain, server.servers);
    app_open(rig, &app, USHER_TCP, "silent.test", 80);
    pump(rig, exchange_flows(rig->exchange) == 1);
    usher_session_reset(app.session, USHER_FAILED, "");
    pump(rig, exchange_flows(rig->exchange) == 0);
    rig_free(rig);
    nameserver_stop(&server);
}

struct seen {
    unsigned count;
    struct flow_info last;
};

static void see(void *arg, const struct flow_info *info)
{
    struct seen *seen = arg;
    seen->count++;
    seen->last = *info;
}

static void flows_are_listed(void **state)
{
    (void)state;
    struct rig *rig = rig_new(allowed, plain);
    struct app app;
    struct seen seen = {0};
    uint64_t put = 0;
    int fd = connect_app(rig, &app, "127.0.0.1");
    app_send(&app, 5000, false);
    assert_true(write_pattern(fd, &put, 7000));
    pump(rig, app.received == 7000 && app.sent == 5000);
    exchange_each_flow(rig->exchange, see, &seen, clock_now() + 90 * USEC_PER_SEC);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.last.protocol, USHER_TCP);
    assert_int_equal(seen.last.outside.addr.version, 4);
    assert_int_equal(seen.last.bytes_out, 5000);
    assert_int_equal(seen.last.bytes_in, 7000);
    assert_string_equal(seen.last.state, "active");
    assert_true(seen.last.age >= 89 * USEC_PER_SEC && seen.last.age < 100 * USEC_PER_SEC);
    close(fd);
    rig_free(rig);
}

static unsigned count_marked(uint32_t want)
{
    unsigned count = 0;
    for (int fd = 3; fd < 256; fd++) {
        uint32_t mark = 0;
        socklen_t len = sizeof mark;
        count += getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len) == 0 && mark == want;
    }
    return count;
}

static void sockets_are_marked(void **state)
{
    (void)state;
    struct endpoint at;
    struct app apps[2];
    struct rig *rig = rig_new(allowed, (struct dial_config){.mark = 7});
    int listener = serve("127.0.0.1", SOCK_STREAM, &at);
    app_open(rig, &apps[0], USHER_TCP, "127.0.0.1", at.port);
    app_open(rig, &apps[1], USHER_UDP, "127.0.0.1", at.port);
    pump(rig, (apps[0].opened || apps[0].ended) && (apps[1].opened || apps[1].ended));
    if (apps[0].ended) // who may not mark makes no connection
        assert_true(apps[0].word == USHER_DENIED && apps[1].word == USHER_DENIED);
    else
        assert_int_equal(count_marked(7), 2);
    close(listener);
    rig_free(rig);
}

static void a_held_flow_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct relay_stream) <= 88);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_how_they_fail),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(opens_above_a_limit_are_refused),
        cmocka_unit_test(who_waits_for_long_gives_way),
        cmocka_unit_test(the_application_finishes_first),
        cmocka_unit_test(the_server_finishes_first),
        cmocka_unit_test(an_end_behind_few_bytes_is_not_lost),
        cmocka_unit_test(an_end_needs_no_credit),
        cmocka_unit_test(an_end_behind_bytes_waits_with_them),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(a_reset_from_the_server_resets_the_session),
        cmocka_unit_test(what_came_before_a_reset_is_delivered),
        cmocka_unit_test(a_reset_from_the_application_reaches_the_server),
        cmocka_unit_test(a_lost_tunnel_is_a_reset),
        cmocka_unit_test(much_both_ways_with_stalls),
        cmocka_unit_test(the_rest_is_written_after_the_session),
        cmocka_unit_test(a_server_that_takes_nothing_is_given_up),
        cmocka_unit_test(urgent_bytes_stay_in_the_stream),
        cmocka_unit_test(stalls_do_not_spin),
        cmocka_unit_test(a_peer_that_takes_no_more),
        cmocka_unit_test(names_are_resolved_and_judged),
        cmocka_unit_test(a_name_given_up_is_forgotten),
        cmocka_unit_test(flows_are_listed),
        cmocka_unit_test(sockets_are_marked),
        cmocka_unit_test(a_held_flow_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
