// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing that is a secret, or that anybody chose, comes here before the fork: no configuration, no key, no certificate, and
// nothing random. A worker is the supervisor's child, which waits for it, and not the template's.
#include "gate/worker/template.h"

#include "gate/channel/worker_start.h"
#include "gate/worker/worker.h"
#include "link/tls/tls.h"
#include "os/heap.h"
#include "os/log.h"
#include "os/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BEYOND_FDS = WORKER_FDS + 16 }; // where none of those that are in use can be

// False at the end: the supervisor wants no more of it.
static bool receive(int fds[WORKER_HANDED])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(WORKER_HANDED * sizeof(int))];
    } control;
    uint8_t byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = sizeof byte};
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t len;
    do
        len = recvmsg(TEMPLATE_FD, &header, MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    const struct cmsghdr *c = len == sizeof byte ? CMSG_FIRSTHDR(&header) : NULL;
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(WORKER_HANDED * sizeof(int)))
        return false;
    memcpy(fds, CMSG_DATA(c), WORKER_HANDED * sizeof(int));
    return true;
}

// Each where a worker looks for it; the template's own way to the supervisor is none of a worker's.
static bool place(int fds[WORKER_HANDED])
{
    for (int i = 0; i < WORKER_HANDED; i++) {
        int high = fcntl(fds[i], F_DUPFD, BEYOND_FDS);
        close(fds[i]);
        fds[i] = high;
    }
    close(TEMPLATE_FD);
    bool ok = true;
    for (int i = 0; i < WORKER_HANDED; i++) {
        ok = dup2(fds[i], WORKER_SOCKET_FD + i) >= 0 && ok;
        close(fds[i]);
    }
    return ok;
}

// As fork(2), for whose child this is. The C library's does not know of that; of what it does besides, one thread needs nothing.
static pid_t fork_sibling(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int become_worker(int fds[WORKER_HANDED])
{
    prctl(PR_SET_NAME, "usher-worker");
    return place(fds) ? worker_main() : 1;
}

int template_main(void)
{
    struct fault fault;
    int fds[WORKER_HANDED];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "usher-template");
    // Whoever ends the gate tells the supervisor, and that tells us.
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sandbox_protect_secrets();
    heap_is_ours();
    if (!tls_library_start(&fault)) {
        log_error("worker: %s", fault.text);
        return 1;
    }
    heap_trim();
    while (receive(fds)) {
        int32_t answer = fork_sibling();
        if (answer == 0)
            return become_worker(fds);
        for (int i = 0; i < WORKER_HANDED; i++)
            close(fds[i]);
        answer = answer < 0 ? -errno : answer;
        if (send(TEMPLATE_FD, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer)
            break;
    }
    return 0;
}
