// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/resolv_keeper.h"

#include "os/clock.h"
#include "os/log.h"
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SETTLE_MS = 200,      // from somebody's first touch to our look: who writes it is done by then
    PAUSE_MAX_MS = 30000, // so that a manager who keeps writing it is not fought at full speed
    CALM_MS = 120000,     // after so long without a fight the pause is short again
    BLIND_MS = 1000,      // between looks for what cannot be watched
    READY_MS = 5000,      // what sealing itself may take
    FAREWELL_MS = 3000,   // what giving back may take
    CHANNEL_FD = 3,
    LOCK_FD = 4,
    FIRST_OTHER_FD = 5,
};

struct message {
    enum resolv_news news; // RESOLV_NOTHING: ready
    struct resolv_conf_servers servers;
    struct fault fault;
};

struct keeper {
    struct resolv_file *file;
    int watch;  // inotify
    bool blind; // the old one is a link to what is not there, nor perhaps its directory, which could be watched
    bool looks; // at `due`
    usec_t due, taken;
    unsigned pause_ms;
    struct fault told; // the last trouble; "": none since it was taken
};

static void tell(const struct message *message)
{
    ssize_t ignored = send(CHANNEL_FD, message, sizeof *message, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored; // who does not read gets no news
}

static void watch_directory_of(struct keeper *keeper, const char *path)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
    inotify_add_watch(keeper->watch, directory, IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_ONLYDIR);
}

// Names that come and go in its directory, and what is written into the file itself, which may be another mount's. The same
// where the old one leads, if it is a link.
static void watch(struct keeper *keeper)
{
    char backup[PATH_MAX], target[PATH_MAX];
    const struct resolv_file *file = keeper->file;
    watch_directory_of(keeper, file->path);
    inotify_add_watch(keeper->watch, file->path, IN_CLOSE_WRITE | IN_DONT_FOLLOW);
    snprintf(backup, sizeof backup, "%s.usher-tun-%s", file->path, file->name);
    struct stat st;
    bool leads = realpath(backup, target);
    keeper->blind = !leads && lstat(backup, &st) == 0;
    if (leads)
        watch_directory_of(keeper, target);
}

static void tell_taken(const struct resolv_conf *before, enum resolv_news news)
{
    const struct message message = {.news = news, .servers = before->servers};
    tell(&message);
}

static void take_again(struct keeper *keeper)
{
    struct message trouble = {.news = RESOLV_TROUBLE};
    struct resolv_conf before;
    if (resolv_file_take(keeper->file, &before, &trouble.fault)) {
        tell_taken(&before, RESOLV_TAKEN);
        resolv_conf_fini(&before);
        watch(keeper); // it is another file now
        usec_t now = clock_now();
        bool calm = now - keeper->taken > CALM_MS * USEC_PER_MSEC;
        keeper->pause_ms = calm ? SETTLE_MS : keeper->pause_ms * 2;
        keeper->pause_ms = keeper->pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : keeper->pause_ms;
        keeper->taken = now;
    } else if (strcmp(trouble.fault.text, keeper->told.text)) {
        tell(&trouble);
    }
    keeper->told = trouble.fault;
}

// One that was removed is not made anew: somebody is about to, or wants none.
static void look(struct keeper *keeper)
{
    struct resolv_file *file = keeper->file;
    struct resolv_conf before;
    keeper->looks = false;
    if (access(file->path, F_OK) < 0)
        return;
    if (!resolv_file_is_of(file->path, file->name)) {
        take_again(keeper);
    } else if (resolv_file_renew(file, &before)) {
        tell_taken(&before, RESOLV_RENEWED);
        resolv_conf_fini(&before);
    }
}

// The service whose file it is starts later than we, when the machine boots.
static void peer(struct keeper *keeper)
{
    watch(keeper);
    if (!keeper->blind)
        look(keeper);
}

static void note(struct keeper *keeper)
{
    char room[4096]; // what happened does not matter
    if (read(keeper->watch, room, sizeof room) <= 0 || keeper->looks)
        return;
    keeper->looks = true;
    keeper->due = clock_now() + keeper->pause_ms * USEC_PER_MSEC;
}

static int wait_ms(const struct keeper *keeper)
{
    usec_t now = clock_now();
    if (!keeper->looks)
        return keeper->blind ? BLIND_MS : -1;
    return keeper->due > now ? (int)((keeper->due - now) / USEC_PER_MSEC) + 1 : 0;
}

// Until the program has ended.
static void keep(struct keeper *keeper)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = CHANNEL_FD, .events = POLLIN}, {.fd = keeper->watch, .events = POLLIN}};
        if (poll(fds, 2, wait_ms(keeper)) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            return;
        if (fds[1].revents)
            note(keeper);
        else if (keeper->blind)
            peer(keeper);
        if (keeper->looks && clock_now() >= keeper->due)
            look(keeper);
    }
}

static void ignore_signals(void)
{
    static const int all[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    sigset_t none;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        signal(all[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

// Of the program's descriptors it keeps two, and one to log to. The copies stand out of each other's way first.
static void keep_descriptors(int channel, int lock, int log)
{
    channel = fcntl(channel, F_DUPFD, FIRST_OTHER_FD);
    lock = fcntl(lock, F_DUPFD, FIRST_OTHER_FD);
    if (log >= 0)
        dup2(log, STDERR_FILENO);
    dup2(channel, CHANNEL_FD);
    dup2(lock, LOCK_FD);
    if (close_range(FIRST_OTHER_FD, UINT_MAX, 0) < 0) // an old kernel; one that stays open would hide the program's end
        for (int fd = FIRST_OTHER_FD, end = (int)sysconf(_SC_OPEN_MAX); fd < end; fd++)
            close(fd);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close(null);
}

static bool prepare(struct keeper *keeper, struct fault *fault)
{
    keeper->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (keeper->watch < 0)
        return fault_errno(fault, errno, "inotify");
    watch(keeper);
    prctl(PR_SET_NAME, "usher-tun-dns");
    sandbox_limits(FIRST_OTHER_FD + 16); // and no dumps: the program's keys are in its memory, too
    return sandbox_seal_keeper(fault);
}

static void become_keeper(struct resolv_file *file, int channel, int log)
{
    struct message message = {.news = RESOLV_NOTHING};
    struct keeper keeper = {.file = file, .pause_ms = SETTLE_MS, .taken = clock_now()};
    ignore_signals();
    keep_descriptors(channel, file->lock, log);
    file->lock = LOCK_FD;
    bool ok = prepare(&keeper, &message.fault);
    if (!ok)
        message.news = RESOLV_TROUBLE;
    tell(&message);
    if (ok)
        keep(&keeper);
    if (!resolv_file_release(file, &message.fault))
        log_error("%s", message.fault.text);
    _exit(ok ? 0 : 1);
}

static pid_t fork_keeper(struct resolv_file *file, const int ends[2], int log)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); // handlers of the program do not run in it
    pid_t pid = fork();
    if (pid == 0)
        become_keeper(file, ends[1], log);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static bool await_ready(struct resolv_keeper *keeper, struct fault *fault)
{
    struct resolv_conf_servers ignored;
    struct pollfd fds = {.fd = keeper->news, .events = POLLIN};
    if (poll(&fds, 1, READY_MS) == 1 && resolv_keeper_read(keeper, &ignored, fault) == RESOLV_NOTHING)
        return true;
    if (!fds.revents)
        fault_set(fault, "the keeper of resolv.conf does not begin");
    resolv_keeper_stop(keeper);
    return false;
}

bool resolv_keeper_start(struct resolv_keeper *out, struct resolv_file *file, int log, struct fault *fault)
{
    struct fault ignored;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        fault_errno(fault, errno, "socketpair");
        resolv_file_release(file, &ignored);
        return false;
    }
    *out = (struct resolv_keeper){.pid = fork_keeper(file, ends, log), .news = ends[0]};
    close(ends[1]);
    if (out->pid < 0) {
        fault_errno(fault, errno, "fork");
        resolv_file_release(file, &ignored);
        close(ends[0]);
        return false;
    }
    resolv_file_forget(file);
    return await_ready(out, fault);
}

enum resolv_news resolv_keeper_read(struct resolv_keeper *keeper, struct resolv_conf_servers *servers,
                                    struct fault *fault)
{
    struct message message;
    ssize_t got = recv(keeper->news, &message, sizeof message, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return RESOLV_NOTHING;
    if (got != sizeof message) {
        fault_set(fault, "the keeper of resolv.conf has ended");
        return RESOLV_GONE;
    }
    *servers = message.servers;
    *fault = message.fault;
    return message.news;
}

void resolv_keeper_stop(struct resolv_keeper *keeper)
{
    close(keeper->news);
    for (unsigned waited = 0; waitpid(keeper->pid, NULL, WNOHANG) == 0 && waited < FAREWELL_MS; waited++)
        usleep(1000);
}
