// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/load/apart.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void take(int fd, struct blob *out, size_t max)
{
    ssize_t got;
    while ((got = read(fd, out->bytes + out->len, max - out->len)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0)
            out->len += (size_t)got;
}

static bool await(pid_t pid, int *code, struct fault *fault)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return fault_errno(fault, errno, "judge the certificates");
    if (WIFSIGNALED(status))
        return fault_set(fault, "judge the certificates: %s", strsignal(WTERMSIG(status)));
    *code = WEXITSTATUS(status);
    return true;
}

bool apart_run(apart_work *work, void *arg, size_t max, struct blob *out, int *code, struct fault *fault)
{
    int ends[2];
    *out = (struct blob){0};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fault_errno(fault, errno, "judge the certificates: make a pipe");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int result = work(arg, ends[1]);
        fflush(NULL);
        _exit(result);
    }
    close(ends[1]);
    if (pid > 0) {
        out->bytes = memory_new(max + 1);
        take(ends[0], out, max);
    }
    close(ends[0]);
    if (pid < 0)
        return fault_errno(fault, errno, "judge the certificates");
    if (await(pid, code, fault))
        return true;
    blob_wipe(out);
    return false;
}

bool apart_tell(int out, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t put = write(out, at, len);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            at += put;
            len -= (size_t)put;
        }
    }
    return true;
}
