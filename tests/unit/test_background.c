// SPDX-License-Identifier: GPL-2.0-or-later
// The verdict of a program that goes into the background, as the command that waits for it sees it.
#include "cli/background.h"
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// What the program in the background does.
static void succeed(struct background *background)
{
    _exit(background_ready(background) ? 0 : 1);
}

static void give_up(struct background *background)
{
    background_failed(background, "no such gate");
    _exit(1);
}

static void die(struct background *background)
{
    (void)background;
    _exit(1);
}

static void test_verdicts(void **state)
{
    static const struct {
        const char *name;
        void (*act)(struct background *background);
        int code;
        const char *says;
    } rows[] = {
        {"success", succeed, 0, ""},
        {"failure", give_up, 1, "no such gate"},
        {"death", die, 1, "the program ended before it was ready"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct background background = BACKGROUND_NONE;
        struct fault fault = {""};
        int code;
        if (background_start(&background, &code, &fault))
            rows[i].act(&background);
        CASE(rows[i].name, code == rows[i].code && !strcmp(fault.text, rows[i].says));
    }
}

// Waits until nobody listens any more, then takes its time to undo what it did.
static void notice(struct background *background, int undone)
{
    struct pollfd fd = {.fd = background->verdict};
    bool deserted = poll(&fd, 1, 5000) == 1 && fd.revents & POLLERR && !background_ready(background);
    usleep(50000);
    _exit(!deserted || write(undone, "", 1) != 1);
}

static void test_interrupted(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    (void)state;
    for (size_t i = 0; i < COUNT(signals); i++) {
        int undone[2];
        char byte;
        assert_int_equal(pipe(undone), 0);
        pid_t person = getpid();
        pid_t typist = fork(); // presses the key in a moment
        if (typist == 0) {
            usleep(50000);
            _exit(kill(person, signals[i]) < 0);
        }
        struct background background = BACKGROUND_NONE;
        struct fault fault = {""};
        int code;
        if (background_start(&background, &code, &fault))
            notice(&background, undone[1]);
        assert_int_equal(code, 1);
        assert_non_null(strstr(fault.text, "interrupted"));
        close(undone[1]);
        assert_int_equal(read(undone[0], &byte, 1), 1); // it had undone everything before
        close(undone[0]);
        waitpid(typist, NULL, 0);
    }
}

// In the foreground there is nobody to tell.
static void test_foreground(void **state)
{
    (void)state;
    struct background background = BACKGROUND_NONE;
    struct fault fault = {""};
    assert_true(background_open_log(&background, "/no/such/directory/log", &fault));
    assert_true(background_ready(&background));
    background_failed(&background, "not heard");
}

// Whoever waits goes on to do so: hears of success, of what fails later, and ends it by going.
static void test_attached(void **state)
{
    (void)state;
    int ends[2];
    char text[64] = "";
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct background background;
        struct pollfd fd = {.fd = ends[1], .events = POLLIN};
        close(ends[0]);
        background_attach(&background, ends[1]);
        if (getsid(0) != getpid() || !background_ready(&background) || background.verdict < 0 ||
            poll(&fd, 1, 5000) != 1)
            _exit(1);
        background_failed(&background, "the device is gone");
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], text, sizeof text), 1);
    assert_int_equal(text[0], 0);
    assert_int_equal(shutdown(ends[0], SHUT_WR), 0); // "going", but still there to hear
    assert_int_equal(read(ends[0], text, sizeof text), 18);
    assert_string_equal(text, "the device is gone");
    assert_int_equal(read(ends[0], text, sizeof text), 0);
    close(ends[0]);
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_foreground),
        cmocka_unit_test(test_attached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
