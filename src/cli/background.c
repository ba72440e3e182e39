// SPDX-License-Identifier: GPL-2.0-or-later
// The verdict is one write: a single NUL byte for success, else the reason. End of file without either means that the
// child has died.

#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
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

// What a person ends a command with.
static sigset_t interruptions(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

// Waits until one of the two has something to say. A signal that is read does not strike later.
static bool is_interrupted(int verdict, int signals)
{
    struct signalfd_siginfo info;
    struct pollfd fds[] = {{.fd = verdict, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    return !fds[0].revents && read(signals, &info, sizeof info) == sizeof info;
}

static bool wait_for_verdict(int fd, int signals, struct fault *fault)
{
    char text[FAULT_TEXT_SIZE];
    size_t len = 0;
    for (;;) {
        if (is_interrupted(fd, signals))
            return fault_set(fault, "interrupted; everything is undone");
        ssize_t got = read(fd, text + len, sizeof text - 1 - len);
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

static int await(pid_t pid, int verdict, int signals, struct fault *fault)
{
    bool ok = wait_for_verdict(verdict, signals, fault);
    close(verdict);
    if (!ok)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    return ok ? 0 : 1;
}

void background_attach(struct background *background, int verdict)
{
    setsid();
    signal(SIGPIPE, SIG_IGN);
    point_at_nothing(STDIN_FILENO);
    *background = (struct background){.verdict = verdict, .log = -1, .attached = true};
}

bool background_start(struct background *background, int *code, struct fault *fault)
{
    int ends[2];
    sigset_t set = interruptions(), before;
    *code = 1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fault_errno(fault, errno, "pipe");
    sigprocmask(SIG_BLOCK, &set, &before);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    pid_t pid = signals < 0 ? -1 : fork();
    if (pid < 0)
        fault_errno(fault, errno, "fork");
    else if (pid == 0)
        background_attach(background, ends[1]);
    background->attached = false;
    close(ends[pid == 0 ? 0 : 1]);
    if (pid > 0)
        *code = await(pid, ends[0], signals, fault);
    else if (pid < 0)
        close(ends[0]);
    if (signals >= 0)
        close(signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid == 0;
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
    // As its input has been since it was attached: by now it may open no more to write to.
    dup2(STDIN_FILENO, STDOUT_FILENO);
    dup2(background->log >= 0 ? background->log : STDIN_FILENO, STDERR_FILENO);
    bool heard = write(background->verdict, "", 1) == 1;
    if (background->attached)
        return heard;
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
