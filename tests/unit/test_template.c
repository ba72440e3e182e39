// SPDX-License-Identifier: GPL-2.0-or-later
// This program plays the template (/proc/self/exe), by a word in its environment: the real one, whose workers end at once for want
// of what is handed over, or one that does not do its work.
#include "gate/supervisor/template.h"

#include "gate/channel/worker_start.h"
#include "gate/worker/template.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int play(const char *part)
{
    int32_t answer = -11; // EAGAIN
    uint8_t byte;
    if (strcmp(part, "real") == 0)
        return template_main();
    if (strcmp(part, "gone") == 0)
        return 1;
    if (strcmp(part, "silent") == 0)
        return (int)pause();
    while (recv(TEMPLATE_FD, &byte, sizeof byte, 0) > 0) // "poor"
        send(TEMPLATE_FD, &answer, strcmp(part, "torn") == 0 ? 2 : sizeof answer, MSG_NOSIGNAL);
    return 0;
}

static void finish(uv_loop_t *loop, struct template *template)
{
    template_free(template);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // nobody is left
}

static pid_t fork_one(struct template *template, struct fault *fault)
{
    int fds[WORKER_HANDED];
    for (int i = 0; i < WORKER_HANDED; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t pid = template_fork(template, fds, fault);
    for (int i = 0; i < WORKER_HANDED; i++)
        close(fds[i]);
    return pid;
}

static void workers_are_our_own_children(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct fault fault;
    uv_loop_init(&loop);
    setenv("PART", "real", 1);
    struct template *template = template_new(&loop);
    template_start(template);
    template_start(template);
    for (int i = 0; i < 20; i++) {
        int status = 0;
        pid_t pid = fork_one(template, &fault);
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        if (i % 5 == 4)
            template_end(template);
    }
    finish(&loop, template);
}

static void one_that_does_not_do_its_work(void **state)
{
    (void)state;
    static const struct {
        const char *part, *why;
    } cases[] = {
        {"gone", "start a worker: what workers are made of does not answer"},
        {"silent", "start a worker: what workers are made of does not answer"},
        {"torn", "start a worker: what workers are made of does not answer"},
        {"poor", "start a worker: Resource temporarily unavailable"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uv_loop_t loop;
        struct fault fault;
        uv_loop_init(&loop);
        struct template *template = template_new(&loop);
        setenv("PART", cases[i].part, 1);
        CASE(cases[i].part, fork_one(template, &fault) == 0);
        if (strcmp(fault.text, cases[i].why) != 0)
            fail_msg("%s: \"%s\"", cases[i].part, fault.text);
        template_end(template);
        setenv("PART", "real", 1);
        pid_t pid = fork_one(template, &fault);
        CASE(cases[i].part, pid > 0 && waitpid(pid, NULL, 0) == pid);
        finish(&loop, template);
    }
}

static void one_that_dies_is_made_anew(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct fault fault;
    uv_loop_init(&loop);
    setenv("PART", "gone", 1);
    struct template *template = template_new(&loop);
    template_start(template);
    uv_run(&loop, UV_RUN_DEFAULT); // until its end is heard of
    setenv("PART", "real", 1);
    pid_t pid = fork_one(template, &fault);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    finish(&loop, template);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], WORKER_COMMAND) == 0)
        return play(getenv("PART"));
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_our_own_children),
        cmocka_unit_test(one_that_does_not_do_its_work),
        cmocka_unit_test(one_that_dies_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
