// SPDX-License-Identifier: GPL-2.0-or-later
// Which of several addresses is connected to, in which order, after how long; on loopback, where an address without
// a listener refuses and one with a full listener is silent.
#include "os/socket/race.h"

#include "os/clock.h"
#include "os/socket/socket.h"
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILLERS = 4, TIMEOUT_MS = 600 };

struct outcome {
    bool done;
    struct race_end end;
};

static void came(void *owner, const struct race_end *end)
{
    struct outcome *outcome = owner;
    assert_false(outcome->done);
    *outcome = (struct outcome){.done = true, .end = *end};
}

static int listen_at(const char *host, uint16_t *port, int backlog)
{
    struct endpoint at = {.port = *port};
    struct fault fault;
    assert_true(address_parse(&at.addr, host));
    int fd = socket_listen(&at, backlog, &fault);
    assert_true(fd >= 0 && socket_local(fd, &at));
    *port = at.port;
    return fd;
}

static void fill(const char *host, uint16_t port, int fillers[FILLERS])
{
    struct endpoint at = {.port = port};
    assert_true(address_parse(&at.addr, host));
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket_stream(at.addr.version);
        socket_connect(fillers[i], &at);
    }
}

static void run(const char *const *hosts, size_t count, uint16_t port, struct outcome *outcome)
{
    struct endpoint to[16];
    uv_loop_t loop;
    *outcome = (struct outcome){.end.fd = -1};
    for (size_t i = 0; i < count; i++) {
        to[i].port = port;
        assert_true(address_parse(&to[i].addr, hosts[i]));
    }
    assert_int_equal(uv_loop_init(&loop), 0);
    const struct race_config config = {.to = to, .count = count, .timeout_ms = TIMEOUT_MS};
    assert_non_null(race_new(&loop, &config, came, outcome));
    assert_false(outcome->done);
    while (!outcome->done)
        uv_run(&loop, UV_RUN_ONCE);
    uv_run(&loop, UV_RUN_DEFAULT); // to the last handle
    assert_int_equal(uv_loop_close(&loop), 0);
}

// L: listens, R: refuses, S: is silent.
static void who_wins(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *hosts[4];
        const char *ways; // of each host
        int winner;       // -1: none
        int error;
        unsigned from_ms, to_ms;
    } cases[] = {
        {"the first", {"127.0.0.2", "127.0.0.3"}, "LL", 0, 0, 0, 200},
        {"the second at once, the first refuses", {"127.0.0.2", "127.0.0.3"}, "RL", 1, 0, 0, 200},
        {"the second after the delay", {"127.0.0.2", "127.0.0.3"}, "SL", 1, 0, 240, 450},
        {"the families alternate", {"127.0.0.2", "127.0.0.3", "::1"}, "RLL", 2, 0, 0, 200},
        {"version 6 leads", {"::1", "127.0.0.2", "127.0.0.3"}, "RRL", 2, 0, 0, 200},
        {"after refusal and silence", {"127.0.0.2", "127.0.0.3", "127.0.0.4"}, "RSL", 2, 0, 240, 450},
        {"not after a good one", {"127.0.0.2", "127.0.0.3", "127.0.0.4"}, "LSR", 0, 0, 0, 200},
        {"one alone", {"127.0.0.2"}, "L", 0, 0, 0, 200},
        {"all refuse", {"127.0.0.2", "::1", "127.0.0.3"}, "RRR", -1, ECONNREFUSED, 0, 200},
        {"all are silent", {"127.0.0.2", "127.0.0.3"}, "SS", -1, ETIMEDOUT, 590, 1500},
        {"a refusal says more than silence", {"127.0.0.2", "127.0.0.3"}, "SR", -1, ECONNREFUSED, 590, 1500},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint16_t port = 0;
        int listeners[4] = {-1, -1, -1, -1}, fillers[4][FILLERS];
        size_t count = strlen(cases[i].ways);
        // A port that is free everywhere, held for as long as the others are found.
        close(listen_at("127.0.0.9", &port, 1));
        for (size_t h = 0; h < count; h++) {
            if (cases[i].ways[h] != 'R')
                listeners[h] = listen_at(cases[i].hosts[h], &port, cases[i].ways[h] == 'S' ? 0 : 8);
            if (cases[i].ways[h] == 'S')
                fill(cases[i].hosts[h], port, fillers[h]);
        }
        struct outcome outcome;
        usec_t start = clock_now();
        run(cases[i].hosts, count, port, &outcome);
        usec_t ms = (clock_now() - start) / USEC_PER_MSEC;
        CASE(cases[i].name, (outcome.end.fd >= 0) == (cases[i].winner >= 0) && outcome.end.error == cases[i].error);
        if (outcome.end.fd >= 0) {
            struct endpoint peer;
            struct address want;
            assert_true(address_parse(&want, cases[i].hosts[cases[i].winner]));
            CASE(cases[i].name, socket_peer(outcome.end.fd, &peer) && address_equal(&peer.addr, &want));
            CASE(cases[i].name, endpoint_equal(&peer, &outcome.end.to));
            close(outcome.end.fd);
        }
        if (outcome.end.fd < 0) { // the first that failed: of the silent, all fail together in the end
            const char *first = strchr(cases[i].ways, 'R') ? strchr(cases[i].ways, 'R') : cases[i].ways;
            struct address want;
            assert_true(address_parse(&want, cases[i].hosts[first - cases[i].ways]));
            CASE(cases[i].name, address_equal(&outcome.end.first.addr, &want));
            CASE(cases[i].name, outcome.end.first_error == (*first == 'R' ? ECONNREFUSED : ETIMEDOUT));
        }
        if (ms < cases[i].from_ms || ms > cases[i].to_ms)
            fail_msg("%s: took %u ms", cases[i].name, (unsigned)ms);
        for (size_t h = 0; h < count; h++) {
            if (listeners[h] >= 0)
                close(listeners[h]);
            for (int f = 0; cases[i].ways[h] == 'S' && f < FILLERS; f++)
                close(fillers[h][f]);
        }
    }
}

static void given_up_there_is_no_callback(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    uint16_t port = 0;
    int fillers[FILLERS], listener = listen_at("127.0.0.2", &port, 0);
    struct endpoint to;
    uv_loop_t loop;
    fill("127.0.0.2", port, fillers);
    assert_true(address_parse(&to.addr, "127.0.0.2"));
    assert_int_equal(uv_loop_init(&loop), 0);
    to.port = port;
    const struct race_config config = {.to = &to, .count = 1, .timeout_ms = TIMEOUT_MS};
    for (int runs = 0; runs < 2; runs++) { // before and after the first attempt
        int before = dup(0), after;
        close(before);
        struct race *race = race_new(&loop, &config, came, &outcome);
        for (int i = 0; i < runs * 3; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        race_cancel(race);
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_false(outcome.done);
        after = dup(0);
        close(after);
        assert_int_equal(before, after); // no descriptor is left
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(listener);
}

static void sockets_are_marked(void **state)
{
    (void)state;
    struct endpoint to = {.port = 0};
    uint32_t mark = 0;
    socklen_t len = sizeof mark;
    struct outcome outcome = {0};
    uv_loop_t loop;
    int listener = listen_at("127.0.0.2", &to.port, 8);
    assert_true(address_parse(&to.addr, "127.0.0.2"));
    assert_int_equal(uv_loop_init(&loop), 0);
    const struct race_config config = {.to = &to, .count = 1, .timeout_ms = TIMEOUT_MS, .mark = 7};
    race_new(&loop, &config, came, &outcome);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(outcome.done);
    if (outcome.end.fd < 0) { // who may not mark does not connect
        assert_int_equal(outcome.end.error, EPERM);
    } else {
        assert_int_equal(getsockopt(outcome.end.fd, SOL_SOCKET, SO_MARK, &mark, &len), 0);
        assert_int_equal(mark, 7);
        close(outcome.end.fd);
    }
    close(listener);
    assert_int_equal(uv_loop_close(&loop), 0);
}

// As many as there are attempts may come from one address, and those of the other IP version from where the kernel likes.
static void they_come_from_their_source(void **state)
{
    (void)state;
    struct endpoint to[2] = {{.port = 0}}, seen;
    struct outcome outcome = {0};
    uv_loop_t loop;
    int listener = listen_at("127.0.0.2", &to[0].port, 8);
    assert_true(address_parse(&to[0].addr, "127.0.0.2") && address_parse(&to[1].addr, "::1"));
    struct race_config config = {.to = to, .count = 1, .timeout_ms = TIMEOUT_MS};
    assert_true(address_parse(&config.source.v4, "127.0.0.9"));
    assert_int_equal(uv_loop_init(&loop), 0);
    race_new(&loop, &config, came, &outcome);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(outcome.done && outcome.end.fd >= 0 && socket_local(outcome.end.fd, &seen));
    assert_true(address_equal(&seen.addr, &config.source.v4) && seen.port);
    close(outcome.end.fd);

    assert_true(address_parse(&config.source.v4, "192.0.2.1")); // nobody's
    to[1].port = to[0].port;
    config.count = 2;
    outcome.done = false;
    race_new(&loop, &config, came, &outcome);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(outcome.done && outcome.end.fd < 0 && outcome.end.first_error == EADDRNOTAVAIL);
    assert_int_equal(outcome.end.error, ECONNREFUSED); // that of the other says more
    close(listener);
    assert_int_equal(uv_loop_close(&loop), 0);
}

// Other uplinks come last, a second after the kernel's own choice, or at once when that has failed.
static void other_uplinks_have_their_turn(void **state)
{
    (void)state;
    enum { LOOPBACK = 1, NO_SUCH = 0x7ffffff };
    static const struct {
        const char *name;
        unsigned uplinks[2];
        bool is_silent;
        int error;
        unsigned from_ms, to_ms;
    } cases[] = {
        {"all refuse", {LOOPBACK, LOOPBACK}, false, ECONNREFUSED, 0, 200},
        {"one is gone", {NO_SUCH, LOOPBACK}, false, ECONNREFUSED, 0, 200},
        {"silence everywhere", {LOOPBACK, LOOPBACK}, true, ETIMEDOUT, 1390, 1800},
        {"silence, then one that is gone", {NO_SUCH, NO_SUCH}, true, ENODEV, 1390, 1800},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint to = {.port = 0};
        struct outcome outcome = {0};
        int fillers[FILLERS] = {-1, -1, -1, -1};
        uv_loop_t loop;
        int listener = listen_at("127.0.0.2", &to.port, 0);
        assert_true(address_parse(&to.addr, "127.0.0.2"));
        if (cases[i].is_silent)
            fill("127.0.0.2", to.port, fillers);
        else
            close(listener);
        assert_int_equal(uv_loop_init(&loop), 0);
        usec_t start = clock_now();
        const struct race_config config = {
            .to = &to, .count = 1, .timeout_ms = 1400, .uplinks = cases[i].uplinks, .uplink_count = 2};
        race_new(&loop, &config, came, &outcome);
        uv_run(&loop, UV_RUN_DEFAULT);
        unsigned ms = (unsigned)((clock_now() - start) / USEC_PER_MSEC);
        assert_int_equal(uv_loop_close(&loop), 0);
        CASE(cases[i].name, outcome.done && outcome.end.fd < 0 && outcome.end.error == cases[i].error);
        CASE(cases[i].name, ms >= cases[i].from_ms && ms <= cases[i].to_ms);
        for (int f = 0; f < FILLERS && cases[i].is_silent; f++)
            close(fillers[f]);
        if (cases[i].is_silent)
            close(listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_wins),
        cmocka_unit_test(sockets_are_marked),
        cmocka_unit_test(they_come_from_their_source),
        cmocka_unit_test(other_uplinks_have_their_turn),
        cmocka_unit_test(given_up_there_is_no_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
