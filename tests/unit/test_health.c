// SPDX-License-Identifier: GPL-2.0-or-later
// What balancers are told, by how full a gate is; and that who asks is neither read nor kept.
#include "unit.h"

#include "gate/supervisor/health.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_SIZE = 32 };

static struct gate {
    bool takes_more;
    uint64_t used, most;
    const char *line;
} gate;

static bool takes_more(void *owner)
{
    const struct gate *of = owner;
    return of->takes_more;
}

static uint64_t load(void *owner, uint64_t *most)
{
    const struct gate *of = owner;
    *most = of->most;
    return of->used;
}

static uv_loop_t loop;
static struct endpoint at = {.addr = {.version = 4, .bytes = {127, 0, 0, 1}}};
static const struct value_endpoints where = {.items = &at, .count = 1};
static const struct health_config config = {
    .loop = &loop, .at = &where, .takes_more = takes_more, .load = load, .owner = &gate};
static struct health *health;
static struct fault fault;

static int begin(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    at.port = 0;
    health = health_new(&config, &fault);
    int listening;
    if (health)
        health_sockets(health, &listening);
    return health && socket_local(listening, &at) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    health_free(health);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static int call(void)
{
    struct sockaddr_storage to;
    socklen_t len = endpoint_to_sockaddr(&at, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
    return fd;
}

static bool is_told(int fd, const char *line)
{
    char said[LINE_SIZE] = "", more;
    uv_run(&loop, UV_RUN_ONCE);
    bool ok = recv(fd, said, sizeof said - 1, 0) == (ssize_t)strlen(line) && !strcmp(said, line) &&
              recv(fd, &more, 1, 0) <= 0;
    close(fd);
    return ok;
}

static void test_lines(void **state)
{
    (void)state;
    static const struct gate cases[] = {
        {true, 0, 1024, "ready up 100%\n"},   {true, 640, 1024, "ready up 75%\n"},
        {true, 639, 1024, "ready up 100%\n"}, {true, 767, 1024, "ready up 75%\n"},
        {true, 768, 1024, "ready up 50%\n"},  {true, 896, 1024, "ready up 25%\n"},
        {true, 1023, 1024, "ready up 25%\n"}, {true, 1024, 1024, "ready up 0%\n"},
        {true, 1030, 1024, "ready up 0%\n"},  {true, 0, 1, "ready up 100%\n"},
        {true, 1, 1, "ready up 0%\n"},        {true, 65535, 65536, "ready up 25%\n"},
        {false, 0, 1024, "drain\n"},          {false, 1024, 1024, "drain\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gate = cases[i];
        CASE(gate.line, is_told(call(), gate.line));
    }
}

// An agent-send is not read, and who goes at once leaves nothing.
static void test_who_asks(void **state)
{
    (void)state;
    gate = (struct gate){true, 3, 4, "ready up 50%\n"};
    int talking = call();
    assert_int_equal(send(talking, "hello?\n", 7, 0), 7);
    assert_true(is_told(talking, gate.line));
    close(call());
    uv_run(&loop, UV_RUN_ONCE);
    assert_true(is_told(call(), gate.line));
}

static void test_the_next_program(void **state)
{
    (void)state;
    int listening;
    assert_null(health_new(&config, &fault)); // the port is taken
    health_sockets(health, &listening);
    struct health_config next = config;
    next.sockets = &(int){dup(listening)};
    struct health *successor = health_new(&next, &fault);
    assert_non_null(successor);
    health_free(health);
    health = successor;
    gate = (struct gate){.line = "drain\n"};
    assert_true(is_told(call(), gate.line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, begin, end),
        cmocka_unit_test_setup_teardown(test_who_asks, begin, end),
        cmocka_unit_test_setup_teardown(test_the_next_program, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
