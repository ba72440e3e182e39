// SPDX-License-Identifier: GPL-2.0-or-later
// A descriptor of the process (pidfd_open(2)), which can be read once it has ended.
#include "os/process/process_watch.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ID_OF_PIDFD = 3 }; // P_PIDFD, which older headers do not have

struct process_watch {
    uv_poll_t poll;
    int fd;
    process_ended *ended;
    void *owner;
};

static void readable(uv_poll_t *poll, int status, int events)
{
    struct process_watch *watch = poll->data;
    siginfo_t info = {0};
    (void)status;
    (void)events;
    if (waitid((idtype_t)ID_OF_PIDFD, (id_t)watch->fd, &info, WEXITED | WNOHANG) < 0 && errno == EINTR)
        return;
    if (!info.si_pid) // not yet
        return;
    uv_poll_stop(poll);
    bool exited = info.si_code == CLD_EXITED;
    watch->ended(watch->owner, exited ? info.si_status : 0, exited ? 0 : info.si_status);
}

struct process_watch *process_watch_new(uv_loop_t *loop, pid_t pid, process_ended *ended, void *owner,
                                        struct fault *fault)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0); // close-on-exec by itself
    if (fd < 0) {
        fault_errno(fault, errno, "watch process %d", (int)pid);
        return NULL;
    }
    struct process_watch *watch = memory_new(sizeof *watch);
    *watch = (struct process_watch){.fd = fd, .ended = ended, .owner = owner};
    uv_poll_init(loop, &watch->poll, fd);
    watch->poll.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, readable);
    return watch;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void process_watch_free(struct process_watch *watch)
{
    if (!watch)
        return;
    uv_close((uv_handle_t *)&watch->poll, closed);
    close(watch->fd);
}
