// SPDX-License-Identifier: GPL-2.0-or-later
// Every way in which a file is replaced is told, once each, and nothing else is.
#include "os/watch/file_watch.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 3000, QUIET_MS = 300 };

static char top[] = "/tmp/usher-watch-XXXXXX";
static uv_loop_t loop;
static uv_timer_t timer;
static unsigned told;

static void changed(void *owner)
{
    (void)owner;
    told++;
    uv_stop(&loop);
}

static void give_up(uv_timer_t *handle)
{
    (void)handle;
    uv_stop(&loop);
}

// How often it is told, until it is or for so long.
static unsigned wait_for(unsigned ms)
{
    told = 0;
    uv_timer_start(&timer, give_up, ms, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    return told;
}

static void shell(const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "cd %s && %s", top, command);
    assert_int_equal(system(line), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(top))
        return -1;
    shell("mkdir -p a/b v1 v2 && echo 1 >a/b/file && echo 1 >v1/file && echo 2 >v2/file && ln -s v1 now && "
          "ln -s now/file link");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char line[64];
    snprintf(line, sizeof line, "rm -rf %s", top);
    return system(line);
}

static const struct {
    const char *name, *command;
    unsigned told;
} cases[] = {
    {"written over", "echo 22 >a/b/file", 1},
    {"renamed over", "echo 3 >a/b/new && mv a/b/new a/b/file", 1},
    {"deleted", "rm a/b/file", 1},
    {"made again", "echo 4 >a/b/file", 1},
    {"another file beside it", "echo 5 >a/b/other && mv a/b/other a/b/another", 0},
    {"only read", "cat a/b/file >/dev/null && ls -l a/b >/dev/null", 0},
    {"its directory moved away", "mv a/b a/c", 1},
    {"and back", "mv a/c a/b", 1},
    {"two directories up gone", "rm -r a", 1},
    {"and made anew", "mkdir -p a/b && echo 6 >a/b/file", 1},
    {"heard in the new one", "echo 777 >a/b/file", 1},
    {"a link on the way turned", "ln -s v2 next && mv -T next now", 1},
    {"what is behind the new one", "echo 333 >v2/file", 1},
    {"what was behind the old one", "echo 444 >v1/file", 0},
    {"the link itself", "ln -sf v1/file link", 1},
    {"several in a row", "for i in 1 2 3 4 5; do echo $i$i >a/b/file; done", 1},
};

static void test_changes(void **state)
{
    (void)state;
    char file[64], link[64];
    struct fault fault;
    snprintf(file, sizeof file, "%s/a/b/file", top);
    snprintf(link, sizeof link, "%s/link", top);
    const char *const paths[] = {file, NULL, link};
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    struct file_watch *watch = file_watch_new(&loop, paths, COUNT(paths), changed, NULL, &fault);
    assert_non_null(watch);
    assert_int_equal(wait_for(PATIENCE_MS), 1); // in the beginning
    for (size_t i = 0; i < COUNT(cases); i++) {
        shell(cases[i].command);
        CASE(cases[i].name, wait_for(cases[i].told ? PATIENCE_MS : QUIET_MS) == cases[i].told);
    }
    assert_int_equal(wait_for(QUIET_MS), 0);
    file_watch_free(watch);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_changes, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
