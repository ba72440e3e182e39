// SPDX-License-Identifier: GPL-2.0-or-later
// Which of several loopback addresses is connected to, and when. A listener whose queue is full answers nothing, which
// is what a dead address does.
#include "unit.h"

#include "link/connector.h"
#include "os/clock.h"
#include "os/socket.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct outcome {
    int calls, fd;
    char why[256];
    usec_t at;
    struct connector *connector;
    bool free_within;
};

static void on_done(void *owner, int fd, const char *why)
{
    struct outcome *outcome = owner;
    outcome->calls++;
    outcome->fd = fd;
    outcome->at = clock_now();
    snprintf(outcome->why, sizeof(outcome->why), "%s", why ? why : "");
}

static int make_listener(struct endpoint *at, int backlog)
{
    struct fault fault;
    endpoint_parse(at, "127.0.0.1:0");
    int fd = socket_listen(at, backlog, &fault);
    assert_true(fd >= 0 && socket_local(fd, at));
    return fd;
}

// A port that refuses: it was just somebody's.
static void make_refusing(struct endpoint *at)
{
    close(make_listener(at, 1));
}

enum { FILLERS = 4 };

static int make_silent(struct endpoint *at, int fillers[FILLERS])
{
    int fd = make_listener(at, 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket_stream(4);
        socket_connect(fillers[i], at);
    }
    usleep(20000);
    return fd;
}

static struct outcome run(const struct endpoint *to, size_t count, unsigned give_up_ms, usec_t *took)
{
    uv_loop_t loop;
    struct outcome outcome = {.fd = -1};
    uv_loop_init(&loop);
    usec_t start = clock_now();
    outcome.connector = connector_new(&loop, to, count, 0, on_done, &outcome);
    assert_int_equal(outcome.calls, 0);
    while (outcome.calls == 0 && clock_now() - start < give_up_ms * USEC_PER_MSEC) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    if (outcome.calls == 0)
        connector_free(outcome.connector);
    *took = clock_now() - start;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return outcome;
}

static bool is_connected_to(int fd, const struct endpoint *to)
{
    struct endpoint peer;
    return fd >= 0 && socket_peer(fd, &peer) && endpoint_equal(&peer, to);
}

static void test_first_that_answers(void **state)
{
    (void)state;
    struct endpoint good, refusing, silent;
    int fillers[FILLERS], listener = make_listener(&good, 8), mute = make_silent(&silent, fillers);
    make_refusing(&refusing);
    const struct {
        const char *name;
        struct endpoint to[3];
        size_t count;
        unsigned from_ms, to_ms;
    } cases[] = {
        {"alone", {good}, 1, 0, 150},
        {"after a refusal, at once", {refusing, good}, 2, 0, 150},
        {"after silence, staggered", {silent, good}, 2, 240, 450},
        {"after refusal and silence", {refusing, silent, good}, 3, 240, 450},
        {"not after a good one", {good, silent, refusing}, 3, 0, 150},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        usec_t took;
        struct outcome outcome = run(cases[i].to, cases[i].count, 3000, &took);
        CASE(cases[i].name, outcome.calls == 1 && is_connected_to(outcome.fd, &good));
        CASE(cases[i].name, took >= cases[i].from_ms * USEC_PER_MSEC && took < cases[i].to_ms * USEC_PER_MSEC);
        close(outcome.fd);
    }
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(listener);
    close(mute);
}

static void test_none_answers(void **state)
{
    (void)state;
    struct endpoint first, second;
    char text[ENDPOINT_TEXT_SIZE], want[128];
    usec_t took;
    make_refusing(&first);
    make_refusing(&second);
    struct endpoint to[] = {first, second};
    struct outcome outcome = run(to, 2, 3000, &took);
    snprintf(want, sizeof(want), "cannot connect to %s: Connection refused", endpoint_text(&first, text));
    assert_int_equal(outcome.fd, -1);
    assert_string_equal(outcome.why, want);
    assert_true(took < 300 * USEC_PER_MSEC);
}

static void test_freed_early(void **state)
{
    (void)state;
    struct endpoint silent;
    int fillers[FILLERS], mute = make_silent(&silent, fillers);
    usec_t took;
    struct outcome outcome = run(&silent, 1, 100, &took);
    assert_int_equal(outcome.calls, 0);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(mute);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_that_answers),
        cmocka_unit_test(test_none_answers),
        cmocka_unit_test(test_freed_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
