// SPDX-License-Identifier: GPL-2.0-or-later
// The poller tells once of each piece that comes, so one that is not whole costs no time.
#include "gate/worker/look.h"

#include "base/list.h"
#include "base/memory.h"
#include "gate/channel/forwarded.h"
#include "link/tls/client_hello.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct look {
    uv_timer_t timer;
    struct poller *poller;
    struct poller_watch watch;
    look_done *done;
    void *owner;
};

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void look_free(struct look *look)
{
    if (!look)
        return;
    poller_delete(look->poller, &look->watch);
    uv_close((uv_handle_t *)&look->timer, closed);
}

static void finish(struct look *look, const uint8_t *ticket, bool forwarded)
{
    look_free(look); // its memory goes later
    look->done(look->owner, ticket, forwarded);
}

static void ran_out(uv_timer_t *timer)
{
    finish(timer->data, NULL, false);
}

static void ready(struct poller_watch *watch, uint32_t events)
{
    struct look *look = container_of(watch, struct look, watch);
    uint8_t bytes[CLIENT_HELLO_MAX], number[TLS_TICKET_SIZE];
    ssize_t len = recv(watch->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bool last = len <= 0 || (size_t)len == sizeof bytes || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    enum client_hello seen = len > 0 ? client_hello_look(bytes, (size_t)len, number) : CLIENT_HELLO_PLAIN;
    if (seen != CLIENT_HELLO_PARTIAL || last)
        finish(look, seen == CLIENT_HELLO_TICKET ? number : NULL, len > 0 && forwarded_begins(bytes, (size_t)len));
}

struct look *look_new(uv_loop_t *loop, struct poller *poller, int fd, uint32_t timeout_ms, look_done *done, void *owner)
{
    struct look *look = memory_new(sizeof *look);
    *look = (struct look){.poller = poller, .done = done, .owner = owner};
    uv_timer_init(loop, &look->timer);
    look->timer.data = look;
    bool watched = poller_add(poller, &look->watch, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, ready);
    uv_timer_start(&look->timer, ran_out, watched ? timeout_ms : 0, 0);
    return look;
}
