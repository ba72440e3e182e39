// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/process/attendant.h"

#include "os/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIRST_OTHER_FD = ATTENDANT_CHANNEL_FD + 1,
    DESCRIPTORS = FIRST_OTHER_FD + 32,
    READY_MS = 5000,    // what beginning may take
    FAREWELL_MS = 3000, // and ending
};

static void ignore_signals(void)
{
    static const int all[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    sigset_t none;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        signal(all[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void keep_descriptors(int channel)
{
    channel = fcntl(channel, F_DUPFD, FIRST_OTHER_FD);
    dup2(channel, ATTENDANT_CHANNEL_FD);
    if (syscall(SYS_close_range, FIRST_OTHER_FD, UINT_MAX, 0) <
        0) // an old kernel; one that stays open would hide the program's end
        for (int fd = FIRST_OTHER_FD, end = (int)sysconf(_SC_OPEN_MAX); fd < end; fd++)
            close(fd);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    if (null > STDERR_FILENO)
        close(null);
}

static void become(const char *name, int (*live)(void), int channel)
{
    ignore_signals();
    keep_descriptors(channel);
    prctl(PR_SET_NAME, name);
    sandbox_limits(DESCRIPTORS);
    _exit(live());
}

bool attendant_start(struct attendant *out, const char *name, int (*live)(void), struct fault *fault)
{
    int ends[2];
    sigset_t all, before;
    *out = ATTENDANT_NONE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return fault_errno(fault, errno, "socketpair");
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); // handlers of the program do not run in it
    pid_t pid = fork();
    if (pid == 0)
        become(name, live, ends[1]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid > 0) {
        *out = (struct attendant){.pid = pid, .channel = ends[0]};
        return true;
    }
    fault_errno(fault, errno, "fork");
    close(ends[0]);
    return false;
}

// It may be another process's child by now: so its end is heard of by its descriptors.
static void await_end(int channel)
{
    char room[1];
    struct pollfd fds = {.fd = channel, .events = POLLIN};
    while (poll(&fds, 1, FAREWELL_MS) == 1 && recv(channel, room, sizeof room, MSG_DONTWAIT) > 0)
        ;
}

void attendant_stop(struct attendant *attendant)
{
    if (attendant->channel < 0)
        return;
    shutdown(attendant->channel, SHUT_WR);
    await_end(attendant->channel);
    close(attendant->channel);
    attendant->channel = -1;
    for (unsigned waited = 0; waitpid(attendant->pid, NULL, WNOHANG) == 0 && waited < FAREWELL_MS; waited++)
        usleep(1000);
}

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(ATTENDANT_FDS_MAX * sizeof(int))];
};

bool attendant_send(int channel, const void *bytes, size_t len, const int *fds, size_t count)
{
    union control control = {0};
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    return sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

ssize_t attendant_receive(int channel, void *room, size_t size, int *fds, bool nonblocking)
{
    union control control;
    struct iovec iov = {.iov_base = room, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got;
    for (size_t i = 0; i < ATTENDANT_FDS_MAX; i++)
        fds[i] = -1;
    do
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | (nonblocking ? MSG_DONTWAIT : 0));
    while (got < 0 && errno == EINTR);
    struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    return got;
}

bool attendant_await(const struct attendant *attendant)
{
    struct pollfd fds = {.fd = attendant->channel, .events = POLLIN};
    return poll(&fds, 1, READY_MS) == 1;
}
