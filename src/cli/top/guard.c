// SPDX-License-Identifier: GPL-2.0-or-later
// The child ends in order by a signal, so it gets one when the guard is killed, and whoever signals the guard means it.
#include "cli/top/guard.h"

#include "cli/command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t child;

static void pass_on(int number)
{
    if (child > 0)
        kill((pid_t)child, number == SIGHUP ? SIGHUP : SIGTERM);
}

static void listen_to_signals(void)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGQUIT};
    const struct sigaction pass = {.sa_handler = pass_on}, ignore = {.sa_handler = SIG_IGN};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &pass, NULL);
    sigaction(SIGINT, &ignore, NULL); // of the terminal: the child has it too
}

// The end of the alternate screen, attributes and a hidden cursor, as every terminal since the VT220 has it.
static void put_back(const struct termios *before)
{
    static const char sane[] = "\033[?1049l\033[?1l\033>\033[m\033[?25h\r\n";
    tcsetattr(STDOUT_FILENO, TCSADRAIN, before);
    ssize_t ignored = write(STDOUT_FILENO, sane, sizeof sane - 1);
    (void)ignored;
}

static int wait_for_child(void)
{
    int status;
    while (waitpid((pid_t)child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

int guard_run(int (*draw)(void *owner), void *owner)
{
    struct termios before;
    sigset_t all, unblocked;
    if (tcgetattr(STDOUT_FILENO, &before) < 0)
        return draw(owner);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &unblocked);
    pid_t self = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigprocmask(SIG_SETMASK, &unblocked, NULL);
        exit(getppid() == self ? draw(owner) : EXIT_FAILED);
    }
    child = pid;
    listen_to_signals();
    sigprocmask(SIG_SETMASK, &unblocked, NULL);
    if (pid < 0)
        return EXIT_FAILED;
    int status = wait_for_child();
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE)
        return EXIT_DONE;
    put_back(&before);
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    fprintf(stderr, "top was ended by signal %d\n", WTERMSIG(status));
    return EXIT_FAILED;
}
