// SPDX-License-Identifier: GPL-2.0-or-later
// Signals are held back and read as news while the terminal does not echo, so no moment is left in which one could end us
// before it does again.
#include "os/process/terminal.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

struct terminal {
    int fd, signals;
    struct termios before;
    sigset_t mask; // before ours
};

static int open_terminal(void)
{
    return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool terminal_is_there(void)
{
    int fd = open_terminal();
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

// SIGTTOU is among them so that the terminal can be put right from the background as well.
static sigset_t held_back(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&set, numbers[i]);
    return set;
}

static void say(const struct terminal *terminal, const char *text)
{
    ssize_t ignored = write(terminal->fd, text, strlen(text));
    (void)ignored;
}

static bool hush(struct terminal *terminal, struct fault *fault)
{
    // In the background this stops us until somebody brings us before the person.
    while (tcgetattr(terminal->fd, &terminal->before) < 0)
        if (errno != EINTR)
            return fault_errno(fault, errno, "terminal");
    struct termios quiet = terminal->before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    quiet.c_lflag |= ICANON | ISIG;
    while (tcsetattr(terminal->fd, TCSAFLUSH, &quiet) < 0)
        if (errno != EINTR)
            return fault_errno(fault, errno, "terminal");
    const sigset_t set = held_back();
    sigprocmask(SIG_BLOCK, &set, &terminal->mask);
    terminal->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return true;
}

static void restore(struct terminal *terminal)
{
    tcsetattr(terminal->fd, TCSAFLUSH, &terminal->before);
    say(terminal, "\n");
    if (terminal->signals >= 0)
        close(terminal->signals);
    sigprocmask(SIG_SETMASK, &terminal->mask, NULL);
}

enum answer { ANSWERED, NO_ANSWER, TOO_LONG, SIGNALLED };

// A whole line, as the terminal hands it over, or the number of a signal.
static enum answer listen(const struct terminal *terminal, struct blob *out, size_t max, int *number)
{
    bool too_long = false;
    for (;;) {
        struct pollfd fds[] = {{.fd = terminal->fd, .events = POLLIN}, {.fd = terminal->signals, .events = POLLIN}};
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0 && errno == EINTR)
            continue;
        if (read(terminal->signals, &info, sizeof info) == sizeof info) {
            *number = (int)info.ssi_signo;
            return SIGNALLED;
        }
        ssize_t got = read(terminal->fd, out->bytes + out->len, max + 1 - out->len);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return NO_ANSWER;
        out->len += (size_t)got;
        bool ended = out->bytes[out->len - 1] == '\n';
        if (ended && !too_long) {
            out->bytes[--out->len] = '\0';
            return ANSWERED;
        }
        if (ended)
            return TOO_LONG;
        if (out->len > max) { // the rest is read and forgotten, or the next to ask would take it for an answer
            too_long = true;
            out->len = 0;
        }
    }
}

static enum answer ask(struct blob *out, const char *prompt, size_t max, int *number, struct fault *fault)
{
    struct terminal terminal = {.fd = open_terminal(), .signals = -1};
    enum answer answer = NO_ANSWER;
    if (terminal.fd < 0) {
        fault_errno(fault, errno, "terminal");
        return NO_ANSWER;
    }
    if (hush(&terminal, fault)) {
        say(&terminal, prompt);
        answer = listen(&terminal, out, max, number);
        restore(&terminal);
        if (answer == NO_ANSWER)
            fault_set(fault, "no passphrase was given");
    }
    close(terminal.fd);
    return answer;
}

bool terminal_ask(struct blob *out, const char *prompt, size_t max, struct fault *fault)
{
    *out = (struct blob){.bytes = memory_new(max + 2)};
    for (;;) {
        int number = 0;
        enum answer answer = ask(out, prompt, max, &number, fault);
        if (answer == ANSWERED)
            return true;
        explicit_bzero(out->bytes, max + 1);
        out->len = 0;
        if (answer == SIGNALLED)
            raise(number);
        if (answer == SIGNALLED && number == SIGTSTP)
            continue; // stopped, and back
        if (answer == SIGNALLED)
            fault_set(fault, "interrupted");
        else if (answer == TOO_LONG)
            fault_set(fault, "the passphrase is longer than %zu bytes", max);
        blob_wipe(out);
        return false;
    }
}
