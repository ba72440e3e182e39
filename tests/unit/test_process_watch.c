// SPDX-License-Identifier: GPL-2.0-or-later
// Children that end by themselves and by a signal, before they are watched and after, are told of once and are gone.
#include "os/process/process_watch.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    unsigned count;
    int code, signal;
    struct process_watch *watch;
} told;

static void ended(void *owner, int code, int signal)
{
    (void)owner;
    told.count++;
    told.code = code;
    told.signal = signal;
    process_watch_free(told.watch);
}

static void of_every_kind(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int code, signal;
        bool before;
    } cases[] = {
        {"exits", 0, 0, false},     {"fails", 3, 0, false},           {"is killed", 0, SIGKILL, false},
        {"has exited", 7, 0, true}, {"was killed", 0, SIGTERM, true},
    };
    uv_loop_t loop;
    uv_loop_init(&loop);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault fault;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            char byte;
            close(ends[1]);
            if (!cases[i].before)
                (void)!read(ends[0], &byte, 1);
            if (cases[i].signal)
                raise(cases[i].signal);
            _exit(cases[i].code);
        }
        close(ends[0]);
        siginfo_t info;
        if (cases[i].before)
            waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
        told.count = 0;
        told.watch = process_watch_new(&loop, pid, ended, NULL, &fault);
        assert_non_null(told.watch);
        if (!cases[i].before) {
            uv_run(&loop, UV_RUN_NOWAIT);
            CASE(cases[i].name, told.count == 0);
        }
        close(ends[1]);
        uv_run(&loop, UV_RUN_DEFAULT);
        CASE(cases[i].name, told.count == 1 && told.code == cases[i].code && told.signal == cases[i].signal);
        CASE(cases[i].name, waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void of_nobody(void **state)
{
    (void)state;
    struct fault fault;
    uv_loop_t loop;
    uv_loop_init(&loop);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    assert_null(process_watch_new(&loop, pid, ended, NULL, &fault));
    assert_non_null(strstr(fault.text, "No such process"));
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_every_kind), cmocka_unit_test(of_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
