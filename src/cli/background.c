// SPDX-License-Identifier: GPL-2.0-or-later
// The verdict is one write: a single NUL byte for success, else the reason. End of file without either means that the
// child has died.

#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void point_at_nothing(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return;
    dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

static bool wait_for_verdict(int fd, struct fault *fault)
{
    char text[FAULT_TEXT_SIZE];
    size_t len = 0;
    for (;;) {
        ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
        if (text[0] == '\0')
            return true;
    }
    text[len] = '\0';
    return fault_set(fault, "%s", len ? text : "the program ended before it was ready");
}

bool background_start(struct background *background, int *code, struct fault *fault)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        *code = 1;
        return fault_errno(fault, errno, "pipe");
    }
    pid_t pid = fork();
    if (pid < 0) {
        *code = 1;
        return fault_errno(fault, errno, "fork");
    }
    if (pid > 0) {
        close(ends[1]);
        *code = wait_for_verdict(ends[0], fault) ? 0 : 1;
        close(ends[0]);
        return false;
    }
    close(ends[0]);
    setsid();
    signal(SIGPIPE, SIG_IGN);
    point_at_nothing(STDIN_FILENO);
    background->verdict = ends[1];
    background->log = -1;
    return true;
}

bool background_open_log(struct background *background, const char *path, struct fault *fault)
{
    if (background->verdict < 0)
        return true;
    background->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    return background->log >= 0 || fault_errno(fault, errno, "%s", path);
}

bool background_ready(struct background *background)
{
    if (background->verdict < 0)
        return true;
    point_at_nothing(STDOUT_FILENO);
    if (background->log >= 0)
        dup2(background->log, STDERR_FILENO);
    else
        point_at_nothing(STDERR_FILENO);
    bool heard = write(background->verdict, "", 1) == 1;
    close(background->verdict);
    background->verdict = -1;
    return heard;
}

void background_failed(struct background *background, const char *why)
{
    if (background->verdict < 0)
        return;
    // Nothing can be done when nobody listens any more.
    ssize_t ignored = write(background->verdict, why, strlen(why));
    (void)ignored;
    close(background->verdict);
    background->verdict = -1;
}
