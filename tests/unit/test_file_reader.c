// SPDX-License-Identifier: GPL-2.0-or-later
// Whoever reads, this process or an attendant, what has changed is told, and what is asked for.
#include "os/watch/file_reader.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 3000, QUIET_MS = 300 };

static char directory[] = "/tmp/usher-reader-XXXXXX";
static char path[64];
static uv_loop_t loop;
static uv_timer_t timer;
static struct file_set last;
static unsigned told, told_as_asked, gone;

static void put(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

static int tear_down(void **state)
{
    char line[64];
    (void)state;
    snprintf(line, sizeof line, "rm -rf %s", directory);
    return system(line);
}

static void have_read(void *owner, struct file_set *set, bool asked)
{
    (void)owner;
    file_set_fini(&last);
    last = *set;
    told += !asked;
    told_as_asked += asked;
    uv_stop(&loop);
}

static void have_lost(void *owner)
{
    (void)owner;
    gone++;
    uv_stop(&loop);
}

static void give_up(uv_timer_t *handle)
{
    (void)handle;
    uv_stop(&loop);
}

static void wait_for(unsigned ms)
{
    told = told_as_asked = gone = 0;
    uv_timer_start(&timer, give_up, ms, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static bool holds(const char *text)
{
    struct blob bytes;
    struct fault fault;
    bool same = file_set_take(&last, path, &bytes, &fault) && bytes.len == strlen(text) &&
                !memcmp(bytes.bytes, text, bytes.len);
    blob_wipe(&bytes);
    return same;
}

static struct file_reader *start(const struct attendant *attendant)
{
    const struct file_wish wishes[] = {{NULL, 0, false}, {path, 1000, false}};
    const struct file_reader_config config = {.attendant = attendant,
                                              .wishes = wishes,
                                              .count = COUNT(wishes),
                                              .log = -1,
                                              .read = have_read,
                                              .gone = have_lost};
    struct fault fault = {""};
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    struct file_reader *reader = file_reader_new(&loop, &config, &fault);
    if (!reader)
        fail_msg("%s", fault.text);
    return reader;
}

static void finish(struct file_reader *reader)
{
    file_reader_free(reader);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT); // it may have been told to stop
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    file_set_fini(&last);
}

static void use(struct file_reader *reader)
{
    wait_for(PATIENCE_MS);
    assert_true(told == 1 && holds("one")); // in the beginning
    put("two");
    wait_for(PATIENCE_MS);
    assert_true(told == 1 && holds("two"));
    wait_for(QUIET_MS);
    assert_true(!told && !told_as_asked);
    unlink(path);
    wait_for(PATIENCE_MS);
    assert_true(told == 1 && !last.files[0].is_there && last.count == 1);
    put("three");
    assert_true(file_reader_ask(reader));
    if (!told_as_asked) // already
        wait_for(PATIENCE_MS);
    assert_true(told_as_asked == 1 && holds("three"));
}

static void test_by_ourselves(void **state)
{
    (void)state;
    put("one");
    struct file_reader *reader = start(NULL);
    use(reader);
    finish(reader);
}

static void test_by_an_attendant(void **state)
{
    struct attendant attendant;
    struct fault fault;
    (void)state;
    put("one");
    assert_true(file_reader_attendant(&attendant, &fault));
    struct file_reader *reader = start(&attendant);
    kill(attendant.pid, SIGTERM); // to all, as a service manager does
    kill(attendant.pid, SIGHUP);
    use(reader);
    finish(reader);
    assert_int_equal(waitpid(attendant.pid, NULL, 0), -1); // reaped already
}

static void test_an_attendant_that_is_killed(void **state)
{
    struct attendant attendant;
    struct fault fault;
    (void)state;
    put("one");
    assert_true(file_reader_attendant(&attendant, &fault));
    struct file_reader *reader = start(&attendant);
    wait_for(PATIENCE_MS);
    kill(attendant.pid, SIGKILL);
    wait_for(PATIENCE_MS);
    assert_int_equal(gone, 1);
    assert_false(file_reader_ask(reader));
    finish(reader);
}

// It has never heard what to do.
static void test_an_attendant_that_is_not_needed(void **state)
{
    struct attendant attendant;
    struct fault fault;
    (void)state;
    assert_true(file_reader_attendant(&attendant, &fault));
    attendant_stop(&attendant);
    assert_int_equal(waitpid(attendant.pid, NULL, 0), -1);
    attendant_stop(&attendant); // is nobody's any more
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_ourselves),
        cmocka_unit_test(test_by_an_attendant),
        cmocka_unit_test(test_an_attendant_that_is_killed),
        cmocka_unit_test(test_an_attendant_that_is_not_needed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
