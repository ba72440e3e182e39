// SPDX-License-Identifier: GPL-2.0-or-later
// It has heard nothing but from us, so it is believed, and waited for: a fork takes less than a millisecond.
#include "gate/supervisor/template.h"

#include "base/memory.h"
#include "gate/channel/worker_start.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_S = 2 }; // with one that has just been started on a machine that is busy

// One life of it.
struct life {
    uv_process_t process;
    struct template *template;
    int fd;
};

struct template
{
    uv_loop_t *loop;
    struct life *life; // NULL: not running
};

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void bury(struct life *life)
{
    life->template->life = NULL;
    close(life->fd);
    uv_close((uv_handle_t *)&life->process, closed);
}

static void exited(uv_process_t *process, int64_t code, int signal)
{
    struct life *life = process->data;
    (void)code;
    (void)signal;
    bury(life);
}

// Waited for here: a program that takes over in this process would not know of it.
void template_end(struct template *template)
{
    struct life *life = template->life;
    if (!life)
        return;
    kill(life->process.pid, SIGKILL);
    while (waitpid(life->process.pid, NULL, 0) < 0 && errno == EINTR)
        ;
    bury(life);
}

static int spawn(struct life *life, int fd)
{
    char *args[] = {"usher-gate", WORKER_COMMAND, NULL};
    uv_stdio_container_t fds[] = {
        [STDIN_FILENO] = {.flags = UV_IGNORE},
        [STDOUT_FILENO] = {.flags = UV_IGNORE},
        [STDERR_FILENO] = {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        [TEMPLATE_FD] = {.flags = UV_INHERIT_FD, .data.fd = fd},
    };
    uv_process_options_t options = {
        .file = "/proc/self/exe",
        .args = args,
        .stdio = fds,
        .stdio_count = sizeof fds / sizeof fds[0],
        .exit_cb = exited,
    };
    return uv_spawn(life->template->loop, &life->process, &options);
}

static bool start(struct template *template, struct fault *fault)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return fault_errno(fault, errno, "channel to what workers are made of");
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct life *life = memory_new(sizeof *life);
    life->template = template;
    life->fd = ends[0];
    life->process.data = life;
    template->life = life;
    int error = spawn(life, ends[1]);
    close(ends[1]);
    if (error)
        bury(life);
    return !error || fault_errno(fault, -error, "start what workers are made of");
}

void template_start(struct template *template)
{
    struct fault fault;
    if (!template->life)
        start(template, &fault);
}

static bool ask(int fd, const int *fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(WORKER_HANDED * sizeof(int))];
    } control = {0};
    uint8_t byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = sizeof byte};
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    *c = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(WORKER_HANDED * sizeof(int))};
    memcpy(CMSG_DATA(c), fds, WORKER_HANDED * sizeof(int));
    return sendmsg(fd, &header, MSG_NOSIGNAL) == sizeof byte;
}

static ssize_t hear(int fd, int32_t *answer)
{
    ssize_t len;
    do
        len = recv(fd, answer, sizeof *answer, 0);
    while (len < 0 && errno == EINTR);
    return len;
}

pid_t template_fork(struct template *template, const int *fds, struct fault *fault)
{
    int32_t answer;
    if (!template->life && !start(template, fault))
        return 0;
    if (!ask(template->life->fd, fds) || hear(template->life->fd, &answer) != sizeof answer || answer == 0) {
        template_end(template);
        fault_set(fault, "start a worker: what workers are made of does not answer");
        return 0;
    }
    if (answer > 0)
        return answer;
    fault_errno(fault, -answer, "start a worker");
    return 0;
}

struct template *template_new(uv_loop_t *loop)
{
    struct template *template = memory_new(sizeof *template);
    template->loop = loop;
    return template;
}

void template_free(struct template *template)
{
    template_end(template);
    free(template);
}
