// SPDX-License-Identifier: GPL-2.0-or-later
// A shortage of descriptors or memory leaves connections in the kernel's queue and tries again after a pause; without
// the pause the loop would spin.

#include "os/socket/listener.h"

#include "base/memory.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_A_TURN = 64,     // so that a flood leaves time for everything else
    SHORTAGE_PAUSE_MS = 200, // some end meanwhile; who connects hardly notices it
};

struct listener {
    uv_poll_t poll;
    uv_timer_t pause;
    int fd;
    listener_accepted *accepted;
    void *owner;
    unsigned handles;
    bool is_short; // since nobody waited last; the log has said so
};

static void ready(uv_poll_t *poll, int status, int events);

static void resume(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    uv_poll_start(&listener->poll, UV_READABLE, ready);
}

static void pause_accepting(struct listener *listener, int error)
{
    if (!listener->is_short)
        log_error("cannot accept connections: %s", strerror(error));
    listener->is_short = true;
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->pause, resume, SHORTAGE_PAUSE_MS, 0);
}

static void ready(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        struct endpoint peer;
        int fd = accept4(listener->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && endpoint_from_sockaddr(&peer, (struct sockaddr *)&from)) {
            listener->accepted(listener->owner, fd, &peer);
        } else if (fd >= 0) {
            close(fd);
        } else if (errno == EAGAIN) {
            listener->is_short = false;
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listener, errno);
            return;
        } // else: the connection was gone before we took it
    }
}

static void closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (--listener->handles == 0)
        free(listener);
}

struct listener *listener_new(uv_loop_t *loop, int fd, listener_accepted *accepted, void *owner)
{
    struct listener *listener = memory_new(sizeof(*listener));
    *listener = (struct listener){.fd = fd, .accepted = accepted, .owner = owner, .handles = 2};
    uv_poll_init(loop, &listener->poll, fd);
    uv_timer_init(loop, &listener->pause);
    listener->poll.data = listener->pause.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, ready);
    return listener;
}

int listener_fd(const struct listener *listener)
{
    return listener->fd;
}

void listener_free(struct listener *listener)
{
    if (!listener)
        return;
    uv_close((uv_handle_t *)&listener->poll, closed);
    uv_close((uv_handle_t *)&listener->pause, closed);
    close(listener->fd);
}
