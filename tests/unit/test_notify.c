// SPDX-License-Identifier: GPL-2.0-or-later
// What a service manager hears on its socket.
#include "os/process/notify.h"
#include "unit.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager;
static char place[64];

static int enter(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(place, sizeof(place), "/tmp/usher-notify-%d", (int)getpid());
    strcpy(at.sun_path, place);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setenv("NOTIFY_SOCKET", place, 1);
    return bind(manager, (struct sockaddr *)&at, sizeof(at));
}

static int leave(void **state)
{
    (void)state;
    close(manager);
    return unlink(place);
}

static const char *heard(void)
{
    static char text[1024];
    ssize_t len = recv(manager, text, sizeof(text) - 1, 0);
    text[len < 0 ? 0 : len] = '\0';
    return text;
}

static void every_word_arrives(void **state)
{
    (void)state;
    notify_ready();
    assert_string_equal(heard(), "READY=1");
    notify_alive();
    assert_string_equal(heard(), "WATCHDOG=1");
    notify_stopping();
    assert_string_equal(heard(), "STOPPING=1");
    notify_status("%d portals", 3);
    assert_string_equal(heard(), "STATUS=3 portals");
}

static void a_status_is_one_line(void **state)
{
    (void)state;
    notify_status("%s", "up\nMAINPID=1\n");
    assert_string_equal(heard(), "STATUS=up MAINPID=1 ");
    char text[600];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    notify_status("%s", text);
    assert_int_equal(strlen(heard()), 255);
}

static void the_watchdog_is_fed_twice_as_often_as_it_bites(void **state)
{
    (void)state;
    assert_true(notify_alive_interval() == USEC_NEVER);
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "15000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_alive_interval(), 7500000);
    setenv("WATCHDOG_PID", "1", 1); // meant for another process
    assert_true(notify_alive_interval() == USEC_NEVER);
}

static void a_watchdog_that_makes_no_sense_is_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "0", "1", "-5", "15s", " 15000000", "99999999999999999999"};
    unsetenv("WATCHDOG_PID");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        setenv("WATCHDOG_USEC", wrong[i], 1);
        assert_true(notify_alive_interval() == USEC_NEVER);
    }
}

static void a_manager_may_have_an_abstract_name(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int there = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int len = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "usher-notify-%d", (int)getpid());
    char named[64], text[64] = "";
    assert_int_equal(
        bind(there, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)), 0);
    snprintf(named, sizeof(named), "@usher-notify-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", named, 1);
    notify_ready();
    assert_true(recv(there, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "READY=1");
    close(there);
    setenv("NOTIFY_SOCKET", place, 1);
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    notify_status("alone");
    assert_string_equal(heard(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_arrives),
        cmocka_unit_test(a_status_is_one_line),
        cmocka_unit_test(the_watchdog_is_fed_twice_as_often_as_it_bites),
        cmocka_unit_test(a_watchdog_that_makes_no_sense_is_none),
        cmocka_unit_test(a_manager_may_have_an_abstract_name),
        cmocka_unit_test(without_a_manager_nothing_happens),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
