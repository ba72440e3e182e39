// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/path/negotiation.h"

#include "base/memory.h"
#include "link/path/proxy_http.h"
#include "link/path/proxy_socks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 }; // a proxy tells of a gate that does not answer only when its own patience has ended

struct negotiation {
    uv_poll_t poll;
    uv_timer_t timer;
    int handles; // of libuv that are not closed yet
    int fd;
    size_t sent; // bytes of talk->out
    struct proxy_talk *talk;
    void (*done)(void *owner, int fd);
    void *owner;
};

static void closed(uv_handle_t *handle)
{
    struct negotiation *negotiation = handle->data;
    if (--negotiation->handles == 0)
        free(negotiation);
}

static int let_go(struct negotiation *negotiation)
{
    uv_close((uv_handle_t *)&negotiation->poll, closed);
    uv_close((uv_handle_t *)&negotiation->timer, closed);
    return negotiation->fd;
}

void negotiation_cancel(struct negotiation *negotiation)
{
    if (negotiation)
        close(let_go(negotiation));
}

static void finish(struct negotiation *negotiation)
{
    int fd = let_go(negotiation); // its memory goes later
    if (negotiation->talk->verdict != PROXY_LEADS) {
        close(fd);
        fd = -1;
    }
    negotiation->done(negotiation->owner, fd);
}

static void on_timer(uv_timer_t *timer)
{
    struct negotiation *negotiation = timer->data;
    proxy_fail(negotiation->talk, PROXY_FAILED, "did not answer within %d s", ANSWER_MS / 1000);
    finish(negotiation);
}

static void fail_by(struct proxy_talk *talk, int error)
{
    proxy_fail(talk, PROXY_FAILED, "broke off: %s", strerror(error));
}

// Both ways until neither moves.
static bool say(struct negotiation *negotiation)
{
    struct proxy_talk *talk = negotiation->talk;
    if (negotiation->sent == talk->out_len)
        return false;
    ssize_t sent = send(negotiation->fd, talk->out + negotiation->sent, talk->out_len - negotiation->sent,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        fail_by(talk, errno);
    if (sent <= 0)
        return false;
    negotiation->sent += (size_t)sent;
    if (negotiation->sent == talk->out_len)
        negotiation->sent = talk->out_len = 0;
    return true;
}

static bool hear(struct negotiation *negotiation)
{
    struct proxy_talk *talk = negotiation->talk;
    ssize_t got = recv(negotiation->fd, talk->in + talk->in_len, talk->want, MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        fail_by(talk, errno);
    if (got == 0)
        proxy_fail(talk, PROXY_FAILED, "closed the connection %s",
                   talk->in_len ? "in the middle of its answer" : "without an answer");
    if (got <= 0)
        return false;
    talk->in_len += (size_t)got;
    talk->want -= (size_t)got;
    if (talk->proxy->kind == PROXY_HTTP)
        proxy_http_take(talk);
    else
        proxy_socks_take(talk);
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct negotiation *negotiation)
{
    int events = UV_READABLE | (negotiation->talk->out_len > 0 ? UV_WRITABLE : 0);
    uv_poll_start(&negotiation->poll, events, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct negotiation *negotiation = poll->data;
    struct proxy_talk *talk = negotiation->talk;
    (void)status; // what has gone wrong, the calls below find
    (void)events;
    bool moved = true;
    while (moved && talk->verdict == PROXY_TALKS) {
        moved = say(negotiation);
        moved = (talk->verdict == PROXY_TALKS && hear(negotiation)) || moved;
    }
    if (talk->verdict == PROXY_TALKS)
        watch(negotiation);
    else
        finish(negotiation);
}

struct negotiation *negotiation_new(uv_loop_t *loop, int fd, struct proxy_talk *talk, void (*done)(void *owner, int fd),
                                    void *owner)
{
    struct negotiation *negotiation = memory_new(sizeof *negotiation);
    *negotiation = (struct negotiation){.handles = 2, .fd = fd, .talk = talk, .done = done, .owner = owner};
    negotiation->poll.data = negotiation->timer.data = negotiation;
    int result = uv_poll_init(loop, &negotiation->poll, fd);
    assert(result == 0);
    uv_timer_init(loop, &negotiation->timer);
    uv_timer_start(&negotiation->timer, on_timer, ANSWER_MS, 0);
    if (talk->proxy->kind == PROXY_HTTP)
        proxy_http_begin(talk);
    else
        proxy_socks_begin(talk);
    watch(negotiation); // it is writable, so the loop calls, also when the talk is over before it began
    return negotiation;
}
