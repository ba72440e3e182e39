// SPDX-License-Identifier: GPL-2.0-or-later
// With a terminal it stays in our process group, so that it may ask there and an interruption is for both; without one it
// has a session of its own, and goes with all that it has started.
#include "os/process/helper.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/process/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    ENDING_MS = 1000, // between the end of its output and its own
    STEP_MS = 10,     // between looks
};

struct run {
    const struct helper *helper;
    pid_t pid;
    bool alone; // in a session of its own
    int output;
    usec_t deadline;
};

static enum helper_end start(struct run *run, struct fault *fault)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        fault_errno(fault, errno, "%s: make a pipe", run->helper->name);
        return HELPER_FAILED;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    if (run->alone)
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    int error =
        posix_spawnp(&run->pid, run->helper->argv[0], &actions, &attributes, (char **)run->helper->argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    run->output = ends[0];
    if (!error)
        return HELPER_DONE;
    close(ends[0]);
    fault_errno(fault, error, "%s: start %s", run->helper->name, run->helper->argv[0]);
    return error == ENOENT ? HELPER_MISSING : HELPER_FAILED;
}

static int left_ms(const struct run *run)
{
    const usec_t now = clock_now();
    return now >= run->deadline ? 0 : (int)((run->deadline - now + 999) / 1000);
}

static bool take(const struct run *run, struct blob *out, struct fault *fault)
{
    const struct helper *helper = run->helper;
    struct pollfd pollfd = {.fd = run->output, .events = POLLIN};
    for (;;) {
        int ready = poll(&pollfd, 1, left_ms(run));
        if (ready == 0)
            return fault_set(fault, "%s did not end within %u s", helper->name, helper->seconds);
        ssize_t got = ready < 0 ? -1 : read(run->output, out->bytes + out->len, helper->max + 1 - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_errno(fault, errno, "%s: read what it prints", helper->name);
        if (got == 0)
            return true;
        out->len += (size_t)got;
        if (out->len > helper->max)
            return fault_set(fault, "%s printed more than %zu bytes", helper->name, helper->max);
    }
}

static void end(const struct run *run)
{
    kill(run->alone ? -run->pid : run->pid, SIGKILL);
}

// Closing its output is not yet to end.
static bool reap(struct run *run, int *status)
{
    for (unsigned waited = 0; waited < ENDING_MS || left_ms(run) > 0; waited += STEP_MS) {
        pid_t pid = waitpid(run->pid, status, WNOHANG);
        if (pid == run->pid)
            return true;
        if (pid < 0 && errno != EINTR)
            return false;
        poll(NULL, 0, STEP_MS);
    }
    return false;
}

static bool judge(const struct run *run, int status, struct fault *fault)
{
    if (WIFSIGNALED(status))
        return fault_set(fault, "%s was ended by signal %d", run->helper->name, WTERMSIG(status));
    if (WEXITSTATUS(status))
        return fault_set(fault, "%s ended with status %d", run->helper->name, WEXITSTATUS(status));
    return true;
}

static bool finish(struct run *run, bool taken, struct fault *fault)
{
    int status = 0;
    bool ended = taken && reap(run, &status);
    if (ended)
        return judge(run, status, fault);
    end(run);
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return taken ? fault_set(fault, "%s did not end within %u s", run->helper->name, run->helper->seconds) : false;
}

enum helper_end helper_run(const struct helper *helper, struct blob *out, struct fault *fault)
{
    struct run run = {
        .helper = helper,
        .alone = !terminal_is_there(),
        .deadline = clock_now() + helper->seconds * USEC_PER_SEC,
    };
    *out = (struct blob){0};
    signal(SIGCHLD, SIG_DFL); // whoever started us may have it ignored, and then nothing is left to wait for
    enum helper_end started = start(&run, fault);
    if (started != HELPER_DONE)
        return started;
    out->bytes = memory_new(helper->max + 2);
    bool good = finish(&run, take(&run, out, fault), fault);
    close(run.output);
    if (good)
        return HELPER_DONE;
    blob_wipe(out);
    return HELPER_FAILED;
}
