// SPDX-License-Identifier: GPL-2.0-or-later
// Ways to a gate over scripted proxies on loopback: what is sent in pieces, what breaks off, what wants another connection,
// and that what follows the answer is still to be read.
#include "unit.h"

#include "link/path/reach.h"
#include "os/socket/socket.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
    uv_loop_t loop;
    uv_timer_t limit;
    uv_thread_t proxy;
    int listener;
    const char *const *script; // one text a connection: "<N" reads, "<0" a head, ">text" says; parts end with ";"
    bool done, too_late, refused;
    int fd;
    char why[512];
};

// Reads `left` bytes, or with 0 a request's head.
static void hear(int fd, size_t left)
{
    char room[4096];
    size_t have = 0;
    while (have < sizeof room && recv(fd, room + have, 1, 0) == 1) {
        have++;
        if (left ? have == left : have >= 4 && !memcmp(room + have - 4, "\r\n\r\n", 4))
            return;
    }
}

static void play(int fd, const char *script)
{
    for (const char *at = script; *at;) {
        size_t len = strcspn(at, ";");
        if (*at == '<')
            hear(fd, strtoul(at + 1, NULL, 10));
        for (size_t i = 1; *at == '>' && i < len; i++) { // byte by byte
            send(fd, at + i, 1, MSG_NOSIGNAL);
            usleep(500);
        }
        at += len + (at[len] == ';');
    }
}

static void serve(void *arg)
{
    struct world *world = arg;
    for (const char *const *script = world->script; *script; script++) {
        struct pollfd waits = {.fd = world->listener, .events = POLLIN};
        if (poll(&waits, 1, 3000) <= 0)
            return;
        int fd = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC);
        play(fd, *script);
        close(fd);
    }
}

static void on_limit(uv_timer_t *timer)
{
    struct world *world = timer->data;
    world->too_late = true;
}

static void on_done(void *owner, const struct reach_end *end)
{
    struct world *world = owner;
    world->done = true;
    world->fd = end->fd;
    world->refused = end->refused;
    snprintf(world->why, sizeof world->why, "%s", end->why);
}

// Reaches for the gate over a proxy that plays `script`.
static void reach_over(struct world *world, enum proxy_kind kind, const char *const *script)
{
    struct endpoint at;
    struct fault fault;
    *world = (struct world){.fd = -1, .script = script};
    endpoint_parse(&at, "127.0.0.1:0");
    world->listener = socket_listen(&at, 8, &fault);
    assert_true(world->listener >= 0 && socket_local(world->listener, &at));
    struct proxy proxy = {.kind = kind, .host = "127.0.0.1", .port = at.port, .user = "bob", .password = "secret"};
    const struct reach_config config = {.host = "gate.invalid", .port = 4433, .proxy = &proxy, .connect_ms = 1000};
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->limit);
    world->limit.data = world;
    uv_timer_start(&world->limit, on_limit, 5000, 0);
    uv_thread_create(&world->proxy, serve, world);
    struct reach *reach = reach_new(&world->loop, &config, on_done, world, &fault);
    assert_non_null(reach);
    while (!world->done && !world->too_late)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_false(world->too_late);
    uv_close((uv_handle_t *)&world->limit, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

static void world_end(struct world *world)
{
    if (world->fd >= 0)
        close(world->fd);
    uv_thread_join(&world->proxy);
    close(world->listener);
}

#define HEAD "<0"

static void test_leads(void **state)
{
    (void)state;
    static const struct {
        enum proxy_kind kind;
        const char *script[3];
    } rows[] = {
        {PROXY_HTTP, {HEAD ";>HTTP/1.1 200 OK\r\n\r\n!TLS"}},
        {PROXY_HTTP,
         {HEAD ";>HTTP/1.1 407 W\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nxy;" HEAD
               ";>HTTP/1.1 200 OK\r\n\r\n!TLS"}},
        {PROXY_HTTP,
         {HEAD ";>HTTP/1.0 407 W\r\nProxy-Authenticate: Basic\r\n\r\npage", HEAD ";>HTTP/1.1 200 OK\n\n!TLS"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world world;
        char room[8] = "";
        reach_over(&world, rows[i].kind, rows[i].script);
        CASE(world.why, world.fd >= 0 && !*world.why);
        struct pollfd waits = {.fd = world.fd, .events = POLLIN};
        for (size_t got = 0; got < 4 && poll(&waits, 1, 1000) == 1;) {
            ssize_t part = recv(world.fd, room + got, 4 - got, 0);
            if (part <= 0)
                break;
            got += (size_t)part;
        }
        CASE(rows[i].script[0], !strcmp(room, "!TLS"));
        world_end(&world);
    }
}

static void test_fails(void **state)
{
    (void)state;
    static const struct {
        enum proxy_kind kind;
        const char *script[3];
        bool refused;
        const char *why;
    } rows[] = {
        {PROXY_HTTP, {HEAD}, false, " closed the connection without an answer"},
        {PROXY_HTTP, {HEAD ";>HTTP/1.1 20"}, false, " closed the connection in the middle of its answer"},
        {PROXY_HTTP, {HEAD ";>HTTP/1.1 503 Busy\r\n\r\n"}, false, " answered \"503 Busy\""},
        {PROXY_HTTP,
         {HEAD ";>HTTP/1.0 407 W\r\nProxy-Authenticate: Basic\r\n\r\n",
          HEAD ";>HTTP/1.0 407 W\r\nProxy-Authenticate: Basic\r\n\r\n"},
         true,
         " refused the user and the password"},
        {PROXY_SOCKS5, {"<4"}, false, " closed the connection without an answer"},
        {PROXY_SOCKS5, {"<4;>\5"}, false, " closed the connection in the middle of its answer"},
        {PROXY_SOCKS5, {"<4;>\5\xff"}, true, " a method we do not have"},
        {PROXY_SOCKS5, {"<4;>\5\2;<12;>\1\1"}, true, " refused the user and the password"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world world;
        reach_over(&world, rows[i].kind, rows[i].script);
        CASE(rows[i].why, world.fd < 0 && world.refused == rows[i].refused);
        CASE(world.why, !strncmp(world.why, "the proxy 127.0.0.1:", 20) && strstr(world.why, rows[i].why));
        world_end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leads),
        cmocka_unit_test(test_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
