// SPDX-License-Identifier: GPL-2.0-or-later
// Commands in the place of a connection: what stands in them, what passes through them, and how they end.
#include "unit.h"

#include "link/path/command.h"
#include "os/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_expand(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *line; // NULL: refused
    } rows[] = {
        {"ssh -W %h:%p bastion", "ssh -W gate.example.net:4433 bastion"},
        {"nc %h %p 100%%", "nc gate.example.net 4433 100%"},
        {"true", "true"},
        {"ssh %r", NULL},
        {"ssh %", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *line = command_expand(rows[i].pattern, "gate.example.net", 4433);
        CASE(rows[i].pattern, line ? rows[i].line && !strcmp(line, rows[i].line) : !rows[i].line);
        free(line);
    }
}

struct world {
    uv_loop_t loop;
    uv_timer_t limit;
    bool told, too_late;
    char why[512];
    struct command *command;
    int fd;
};

static void on_limit(uv_timer_t *timer)
{
    struct world *world = timer->data;
    world->too_late = true;
}

static void on_done(void *owner, const char *why)
{
    struct world *world = owner;
    world->told = true;
    snprintf(world->why, sizeof world->why, "%s", why);
}

static void start(struct world *world, const char *line)
{
    struct fault fault;
    *world = (struct world){.fd = -1};
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->limit);
    world->limit.data = world;
    world->command = command_new(&world->loop, line, &world->fd, &fault);
    assert_non_null(world->command);
}

static void finish(struct world *world)
{
    close(world->fd);
    command_finish(world->command, on_done, world);
    uv_timer_start(&world->limit, on_limit, 5000, 0);
    while (!world->told && !world->too_late)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_false(world->too_late);
}

static void end(struct world *world)
{
    command_free(world->command);
    uv_close((uv_handle_t *)&world->limit, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

static size_t read_some(int fd, char *room, size_t size)
{
    for (int i = 0; i < 2000; i++) {
        ssize_t got = read(fd, room, size);
        if (got >= 0)
            return (size_t)got;
        usleep(1000);
    }
    return 0;
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"exit 7", "ProxyCommand ended with status 7"},
        {"echo one >&2; echo 'two \033' >&2; exit 255", "ProxyCommand ended with status 255: \"two \\x1b\""},
        {"printf last >&2; kill -9 $$", "ProxyCommand was ended by signal 9: \"last\""},
        {"exec no-such-program", "ProxyCommand ended with status 127: \""},
        {"cat", ""},                     // by the end of its input
        {"sleep 100", ""},               // because we end it
        {"trap '' TERM; sleep 100", ""}, // because we kill it
        {"sleep 100 & exit 0", ""},      // with what it leaves behind
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world world;
        start(&world, rows[i].line);
        finish(&world);
        CASE(world.why, *rows[i].why ? !strncmp(world.why, rows[i].why, strlen(rows[i].why)) : !*world.why);
        end(&world);
    }
}

static void test_passes_and_dies_with_its_group(void **state)
{
    (void)state;
    struct world world;
    char room[64] = "";
    start(&world, "sleep 100 & echo $!; cat");
    assert_true(read_some(world.fd, room, sizeof room - 1) > 1);
    pid_t child = atoi(room);
    assert_int_equal(write(world.fd, "ping", 4), 4);
    assert_int_equal(read_some(world.fd, room, 4), 4);
    assert_memory_equal(room, "ping", 4);
    assert_int_equal(kill(child, 0), 0);
    close(world.fd);
    end(&world); // without waiting for what it dies of
    for (int i = 0; i < 1000 && kill(child, 0) == 0; i++)
        usleep(1000);
    // Whoever adopts it may not have taken its leave.
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", child);
    FILE *file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file))
        assert_non_null(strstr(line, ") Z "));
    if (file)
        fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_passes_and_dies_with_its_group),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
