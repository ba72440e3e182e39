// SPDX-License-Identifier: GPL-2.0-or-later
// run: three processes. This one is what a person typed: it keeps their terminal, passes signals on, and ends as the command
// does. The portal is its child in the machine's own network, and out of the terminal's reach. The third is the first of a
// namespace (portal/inside/), which has the command as its child. Each of them ends with this one, and this one with either.
//
// The command stays in our process group, so that a pipeline remains one job: keys reach all of it alike, and are not passed
// on a second time. We stop only when the command has, as it may think otherwise of ^Z than to stop.

#include "cli/runtime.h"
#include "os/process/namespace.h"
#include "os/sandbox/sandbox.h"
#include "os/tun/pass.h"
#include "portal/commands.h"
#include "portal/inside/channel.h"
#include "portal/inside/inside.h"
#include "portal/job.h"
#include "portal/load.h"
#include "portal/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GRACE_MS = 3000,    // for a command whose portal has died, to put away what it has
    STEP_MS = 10,       // between looks
    PATIENCE_MS = 5000, // a portal ends within 3 s (FAREWELL_MS)
    KILLED = 128,       // exit code of what a signal ended, and the signal
};

struct front {
    struct portal_conf *conf;
    const char *name_or_file; // of that
    struct in_force force;
    struct attendants attendants; // the portal's
    struct job job;
    sigset_t masked; // as we were called
    int signals;
    pid_t portal, inside;
    int life, channel; // to either
    bool started;      // the command
    bool interrupted;  // by a key, as the command was
    bool orphaned;     // the portal is gone
    bool done;
    int code;
    struct fault fault; // why there is no command any more; "": it has ended by itself
};

static void finish(struct front *front, int code, const char *why)
{
    if (front->done)
        return;
    front->done = true;
    front->code = code;
    fault_set(&front->fault, "%s", why);
}

// None of our own descriptors may come to stand in the place of one of these that was closed. For the command it still is.
static void hold_standard_places(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

// What we pass on, what we stop by, and what would stop us when we take the terminal back.
static bool watch_signals(struct front *front)
{
    static const int numbers[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,  SIGUSR1,
                                  SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH, SIGTTOU};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, &front->masked);
    signal(SIGCHLD, SIG_DFL); // else the kernel would forget how they ended
    front->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return front->signals >= 0;
}

static void be_portal(struct front *front, struct tls_identity *identity, int life, int hand)
{
    struct tun tun;
    struct background background;
    close(front->signals);
    sigprocmask(SIG_SETMASK, &front->masked, NULL);
    background_attach(&background, life);
    if (!tun_receive(hand, &tun)) // who should have sent it says why
        _exit(EXIT_FAILED);
    close(hand);
    struct portal portal = {.conf = front->conf,
                            .identity = identity,
                            .name_or_file = front->name_or_file,
                            .force = &front->force,
                            .attendants = &front->attendants,
                            .background = &background,
                            .given = &tun};
    int code = portal_run(&portal);
    tls_identity_free(portal.identity);
    portal_conf_free(front->conf);
    exit(code);
}

static bool start_portal(struct front *front, struct tls_identity *identity, int *hand, struct fault *fault)
{
    int life[2], device[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, device) < 0)
        return fault_errno(fault, errno, "socketpair");
    front->portal = fork();
    if (front->portal == 0) {
        close(life[0]);
        close(device[0]);
        be_portal(front, identity, life[1], device[1]);
    }
    close(life[1]);
    close(device[1]);
    front->life = life[0];
    *hand = device[0];
    return front->portal > 0 || fault_errno(fault, errno, "fork");
}

static bool start_inside(struct front *front, char **command, int hand, struct fault *fault)
{
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
        return fault_errno(fault, errno, "socketpair");
    front->inside = namespace_fork(fault);
    if (front->inside == 0) {
        const struct inside inside = {front->conf, command, channel[1], hand, &front->masked};
        close(channel[0]);
        close(front->life);
        close(front->signals);
        job_close(&front->job);
        inside_run(&inside);
    }
    close(channel[1]);
    front->channel = channel[0];
    return front->inside > 0 && namespace_map(front->inside, fault) && inside_say(front->channel, INSIDE_GO, 0, "");
}

// The key is the portal's alone from here on.
static bool launch(struct front *front, struct tls_identity *identity, char **command, struct fault *fault)
{
    int hand = -1;
    bool ok = watch_signals(front) || fault_errno(fault, errno, "signalfd");
    ok = ok && start_portal(front, identity, &hand, fault);
    tls_identity_free(identity);
    in_force_wipe(&front->force);
    attendants_leave(&front->attendants);
    sandbox_hide_memory(false);
    ok = ok && start_inside(front, command, hand, fault);
    if (hand >= 0)
        close(hand);
    return ok;
}

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static void hear_inside(struct front *front)
{
    struct inside_message message;
    if (!inside_hear(front->channel, &message)) {
        finish(front, KILLED + SIGKILL, "the first process of its namespace was killed, and the command with it");
        return;
    }
    switch (message.word) {
    case INSIDE_FAILED:
        finish(front, message.number, message.text);
        break;
    case INSIDE_STOPPED:
        job_stop(message.number);
        break;
    case INSIDE_ENDED:
        front->interrupted &= WIFSIGNALED(message.number) && WTERMSIG(message.number) == SIGINT;
        finish(front, front->orphaned ? EXIT_FAILED : exit_code(message.number), "");
        break;
    default:
        break;
    }
}

// A NUL when the tunnel is there; a reason when it fails, and then its end.
static void hear_portal(struct front *front)
{
    char text[FAULT_TEXT_SIZE];
    ssize_t got = recv(front->life, text, sizeof text - 1, 0);
    if (got < 0 && errno == EINTR)
        return;
    if (got > 0 && !text[0]) {
        front->started = true;
        inside_say(front->channel, INSIDE_GO, 0, "");
        return;
    }
    text[got > 0 ? got : 0] = '\0';
    front->orphaned = true;
    close(front->life);
    front->life = -1;
    if (!front->started) {
        // Without a device it has nothing to say, and the other side has.
        struct pollfd fd = {.fd = front->channel, .events = POLLIN};
        if (!*text && poll(&fd, 1, GRACE_MS) == 1)
            hear_inside(front);
        finish(front, EXIT_FAILED, *text ? text : "the portal ended before the tunnel was there");
        return;
    }
    fprintf(stderr, "usher-tun: %s; the command has no network any more, and is ended\n",
            *text ? text : "the portal has ended");
    inside_say(front->channel, INSIDE_SIGNAL, SIGTERM, "");
    inside_say(front->channel, INSIDE_SIGNAL, SIGCONT, "");
}

static void hear_signal(struct front *front)
{
    struct signalfd_siginfo info;
    if (read(front->signals, &info, sizeof info) != sizeof info)
        return;
    int number = (int)info.ssi_signo;
    bool by_key = info.ssi_code == SI_KERNEL;
    front->interrupted |= by_key && number == SIGINT;
    if (number == SIGTSTP || number == SIGTTOU || number == SIGWINCH)
        return; // the command has it, or does not want it
    bool is_end = number != SIGCONT && number != SIGUSR1 && number != SIGUSR2;
    if (!front->started && is_end)
        finish(front, KILLED + number, "interrupted; everything is undone");
    else if (front->started && !by_key)
        inside_say(front->channel, INSIDE_SIGNAL, number, "");
}

static void attend(struct front *front)
{
    struct pollfd fds[] = {{.fd = front->signals, .events = POLLIN},
                           {.fd = front->channel, .events = POLLIN},
                           {.fd = front->life, .events = POLLIN}};
    int count = poll(fds, 3, front->orphaned ? GRACE_MS : -1);
    if (count == 0)
        finish(front, EXIT_FAILED, "the command did not end, and was killed");
    if (count <= 0)
        return;
    if (fds[0].revents)
        hear_signal(front);
    if (fds[1].revents && !front->done)
        hear_inside(front);
    if (fds[2].revents && !front->done)
        hear_portal(front);
}

static void end_inside(struct front *front)
{
    if (front->inside <= 0)
        return;
    kill(front->inside, SIGKILL); // and with it all that is left in there
    while (waitpid(front->inside, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void end_portal(struct front *front)
{
    if (front->life >= 0)
        close(front->life);
    if (front->portal <= 0)
        return;
    for (unsigned waited = 0; waitpid(front->portal, NULL, WNOHANG) == 0; waited += STEP_MS) {
        if (waited >= PATIENCE_MS)
            kill(front->portal, SIGKILL);
        usleep(STEP_MS * 1000);
    }
    char root[RUNTIME_ROOT_SIZE];
    struct fault fault;
    if (runtime_root(root, &fault)) // what it was not allowed to remove itself, or had no time to
        runtime_remove(root, front->conf->name);
}

// Who runs commands in a row wants to know that a key has ended this one, and not go on to the next.
static void die_interrupted(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    signal(SIGINT, SIG_DFL);
    kill(getpid(), SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

// Several of one file at once are told apart by the process that a person sees.
static void name_run(char name[INSTANCE_NAME_MAX + 1])
{
    char base[INSTANCE_NAME_MAX + 1], suffix[sizeof ".run.-2147483648"];
    strcpy(base, name);
    int len = snprintf(suffix, sizeof suffix, ".run.%d", (int)getpid());
    snprintf(name, INSTANCE_NAME_MAX + 1, "%.*s%s", INSTANCE_NAME_MAX - len, base, suffix);
}

int command_run(const struct command_line *line)
{
    struct tls_identity *identity;
    struct front front = {.name_or_file = line->argument, .signals = -1, .life = -1, .channel = -1};
    struct fault fault = {""};
    hold_standard_places();
    sandbox_hide_memory(true);
    if (!attendants_start(&front.attendants, false, &fault)) {
        fprintf(stderr, "usher-tun: %s\n", fault.text);
        return EXIT_FAILED;
    }
    front.conf = portal_load(line, PORTAL_OF_COMMAND, false, &identity, &front.force);
    if (!front.conf)
        return EXIT_WRONG;
    name_run(front.conf->name);
    job_open(&front.job);
    if (!launch(&front, identity, line->command, &fault))
        finish(&front, EXIT_FAILED, fault.text);
    while (!front.done)
        attend(&front);
    end_inside(&front);
    job_restore(&front.job);
    end_portal(&front);
    if (*front.fault.text)
        fprintf(stderr, "usher-tun: %s\n", front.fault.text);
    portal_conf_free(front.conf);
    if (front.interrupted && !*front.fault.text)
        die_interrupted();
    return front.code;
}
