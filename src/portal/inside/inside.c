// SPDX-License-Identifier: GPL-2.0-or-later
// Its rights go before the command is there. As the first process it gets no signal that it does not wait for, from inside
// or from the terminal; the end of whoever typed the command kills it, and so does the end of the channel.

#include "portal/inside/inside.h"

#include "os/process/namespace.h"
#include "os/sandbox/sandbox.h"
#include "os/tun/pass.h"
#include "portal/inside/channel.h"
#include "portal/inside/files.h"
#include "portal/inside/network.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static bool hand_device_over(const struct inside *inside, struct fault *fault)
{
    struct tun tun;
    if (!network_make(inside->conf, &tun, fault))
        return false;
    bool ok = tun_send(inside->portal, &tun, fault);
    tun_close(&tun);
    return ok;
}

static bool set_up(const struct inside *inside, struct fault *fault)
{
    return namespace_settle(fault) && files_cover(&inside->conf->names, fault) && hand_device_over(inside, fault) &&
           sandbox_confine(fault);
}

static void wait_for_go(const struct inside *inside)
{
    struct inside_message message;
    if (!inside_hear(inside->channel, &message) || message.word != INSIDE_GO)
        _exit(EXIT_FAILURE);
}

static void become_command(const struct inside *inside)
{
    struct fault fault;
    files_clean_environment();
    sigprocmask(SIG_SETMASK, inside->masked, NULL);
    execvp(inside->command[0], inside->command);
    int code = errno == ENOENT ? INSIDE_NOT_FOUND : INSIDE_CANNOT_RUN;
    fault_errno(&fault, errno, "%.400s", inside->command[0]);
    inside_say(inside->channel, INSIDE_FAILED, code, fault.text);
    _exit(code);
}

static pid_t start(const struct inside *inside)
{
    struct fault fault;
    pid_t pid = fork();
    if (pid == 0)
        become_command(inside);
    if (pid > 0)
        return pid;
    fault_errno(&fault, errno, "fork");
    inside_say(inside->channel, INSIDE_FAILED, EXIT_FAILURE, fault.text);
    _exit(EXIT_FAILURE);
}

// Whatever has ended or stopped, of which the command alone is news.
static void reap(const struct inside *inside, pid_t command)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (pid != command)
            continue;
        if (WIFSTOPPED(status)) {
            inside_say(inside->channel, INSIDE_STOPPED, WSTOPSIG(status), "");
            continue;
        }
        inside_say(inside->channel, INSIDE_ENDED, status, "");
        _exit(EXIT_SUCCESS);
    }
}

static void obey(const struct inside *inside, pid_t command)
{
    struct inside_message message;
    if (!inside_hear(inside->channel, &message))
        _exit(EXIT_FAILURE);
    if (message.word == INSIDE_SIGNAL)
        kill(command, message.number);
}

static void attend(const struct inside *inside, pid_t command, int children)
{
    struct signalfd_siginfo info;
    struct pollfd fds[] = {{.fd = inside->channel, .events = POLLIN}, {.fd = children, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0)
        return;
    if (fds[1].revents && read(children, &info, sizeof info) == sizeof info)
        reap(inside, command);
    if (fds[0].revents)
        obey(inside, command);
}

static int watch_children(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

void inside_run(const struct inside *inside)
{
    struct fault fault;
    int children = watch_children();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    wait_for_go(inside);
    if (children < 0 || !set_up(inside, &fault)) {
        inside_say(inside->channel, INSIDE_FAILED, EXIT_FAILURE, children < 0 ? "signalfd failed" : fault.text);
        _exit(EXIT_FAILURE);
    }
    close(inside->portal);
    wait_for_go(inside);
    pid_t command = start(inside);
    for (;;)
        attend(inside, command, children);
}
