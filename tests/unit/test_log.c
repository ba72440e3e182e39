// SPDX-License-Identifier: GPL-2.0-or-later
// What a reader of stderr gets to see, line by line.
#include "os/log.h"
#include "os/log_tally.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int saved, reader;

// Turns stderr into a pipe, so that each write(2) of the log can be read back.
static int capture(void **state)
{
    (void)state;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    unsetenv("JOURNAL_STREAM");
    log_set_name("");
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

static int release(void **state)
{
    (void)state;
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(reader);
    return 0;
}

static const char *seen(void)
{
    static char text[4096];
    ssize_t got = read(reader, text, sizeof text - 1);
    text[got < 0 ? 0 : got] = '\0';
    return text;
}

static void test_name_and_text(void **state)
{
    (void)state;
    log_info("tunnel %d up", 3);
    assert_string_equal(seen(), "tunnel 3 up\n");
    log_set_name("usher-tun branch");
    log_error("no route");
    assert_string_equal(seen(), "usher-tun branch: no route\n");
}

static void test_tally(void **state)
{
    (void)state;
    struct log_tally tally = {0};
    usec_t now = 1;
    log_tally(&tally, 0, now, "denied to %s", "branch");
    assert_string_equal(seen(), "");
    log_tally(&tally, 3, now, "denied to %s", "branch");
    assert_string_equal(seen(), "denied to branch: 3, in all 3\n");
    log_tally(&tally, 5, now + LOG_TALLY_PAUSE - 1, "denied to %s", "branch");
    assert_string_equal(seen(), "");
    log_tally(&tally, 6, now + LOG_TALLY_PAUSE, "denied to %s", "branch");
    assert_string_equal(seen(), "denied to branch: 3, in all 6\n");
    log_tally(&tally, 6, now + 9 * LOG_TALLY_PAUSE, "denied to %s", "branch");
    assert_string_equal(seen(), "");
    // A new tunnel counts from the start.
    log_tally(&tally, 2, now + 9 * LOG_TALLY_PAUSE, "denied to %s", "branch");
    assert_string_equal(seen(), "denied to branch: 2, in all 2\n");
}

static void test_levels(void **state)
{
    (void)state;
    static const char *const expected[] = {
        [LOG_LEVEL_ERROR] = "e\n",
        [LOG_LEVEL_WARNING] = "e\nw\n",
        [LOG_LEVEL_INFO] = "e\nw\ni\n",
        [LOG_LEVEL_DEBUG] = "e\nw\ni\nd\n",
    };
    for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        log_set_level(level);
        log_error("e");
        log_warning("w");
        log_info("i");
        log_debug("d");
        assert_string_equal(seen(), expected[level]);
    }
}

static void set_journal(ino_t beside)
{
    struct stat st;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    char stream[64];
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)(st.st_ino + beside));
    setenv("JOURNAL_STREAM", stream, 1);
}

static void test_journal_priorities(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_DEBUG);
    log_set_name("gate");
    set_journal(0);
    log_error("a");
    log_warning("b");
    log_info("c");
    log_debug("d");
    assert_string_equal(seen(), "<3>gate: a\n<4>gate: b\n<6>gate: c\n<7>gate: d\n");
}

static void test_stream_that_is_not_the_journal(void **state)
{
    (void)state;
    set_journal(1);
    log_error("plain");
    assert_string_equal(seen(), "plain\n");
}

static void test_long_line_is_cut(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_error("%s", text);
    const char *line = seen();
    size_t len = strlen(line);
    assert_true(len <= 1024);
    assert_string_equal(line + len - 5, "x...\n");
    assert_null(memchr(line, '\n', len - 1));
}

static void test_errno_survives(void **state)
{
    (void)state;
    errno = ENOENT;
    log_error("cause: %m");
    assert_int_equal(errno, ENOENT);
    assert_string_equal(seen(), "cause: No such file or directory\n");
}

static void test_full_pipe_is_no_obstacle(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++)
        log_error("filling");
    assert_true(strlen(seen()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_name_and_text, capture, release),
        cmocka_unit_test_setup_teardown(test_tally, capture, release),
        cmocka_unit_test_setup_teardown(test_levels, capture, release),
        cmocka_unit_test_setup_teardown(test_journal_priorities, capture, release),
        cmocka_unit_test_setup_teardown(test_stream_that_is_not_the_journal, capture, release),
        cmocka_unit_test_setup_teardown(test_long_line_is_cut, capture, release),
        cmocka_unit_test_setup_teardown(test_errno_survives, capture, release),
        cmocka_unit_test_setup_teardown(test_full_pipe_is_no_obstacle, capture, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
