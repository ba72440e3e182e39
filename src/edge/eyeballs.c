// SPDX-License-Identifier: GPL-2.0-or-later
// One timer and one watcher an attempt. Everything happens in callbacks of the loop, the first attempt too, and the
// memory goes when libuv has let go of the last handle.
#include "edge/eyeballs.h"

#include "base/memory.h"
#include "os/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { ATTEMPT_DELAY_MS = 250 }; // Connection Attempt Delay, RFC 8305 section 5

struct attempt {
    uv_poll_t poll;
    int fd; // -1: not under way
};

struct eyeballs {
    uv_timer_t timer;
    uv_loop_t *loop;
    eyeballs_done *done;
    void *owner;
    struct endpoint *to; // in the order of attempts
    size_t count;
    size_t next;          // the attempt to be made next
    size_t pending;       // attempts under way
    uint64_t deadline_ms; // for all together, on the loop's clock
    int error;            // the most telling failure, and
    size_t error_of;      // whose
    unsigned handles;     // that libuv has not let go of
    struct attempt attempts[];
};

// RFC 8305 section 4: the families alternate, the first of the resolver's order leads.
static void interleave(struct eyeballs *e, const struct address *addrs, size_t count, uint16_t port)
{
    uint8_t want = addrs[0].version;
    size_t at[2] = {0, 0}; // next candidate of version 4 and of version 6
    for (e->count = 0; e->count < count; e->count++) {
        size_t *i = &at[want == 6];
        while (*i < count && addrs[*i].version != want)
            ++*i;
        if (*i == count) { // that family is used up
            want = want == 4 ? 6 : 4;
            i = &at[want == 6];
            while (addrs[*i].version != want)
                ++*i;
        }
        e->to[e->count] = (struct endpoint){.addr = addrs[(*i)++], .port = port};
        want = want == 4 ? 6 : 4;
    }
}

static void closed(uv_handle_t *handle)
{
    struct eyeballs *e = handle->data;
    if (--e->handles > 0)
        return;
    free(e->to);
    free(e);
}

// Ends one attempt; its descriptor is the caller's.
static int take(struct eyeballs *e, struct attempt *attempt)
{
    int fd = attempt->fd;
    attempt->fd = -1;
    e->pending--;
    uv_close((uv_handle_t *)&attempt->poll, closed);
    return fd;
}

void eyeballs_cancel(struct eyeballs *e)
{
    for (size_t i = 0; i < e->next; i++)
        if (e->attempts[i].fd >= 0)
            close(take(e, &e->attempts[i]));
    uv_close((uv_handle_t *)&e->timer, closed);
}

static void finish(struct eyeballs *e, int fd, size_t which, int error)
{
    eyeballs_done *done = e->done;
    void *owner = e->owner;
    struct endpoint to = e->to[which];
    eyeballs_cancel(e);
    done(owner, fd, &to, error);
}

// No way to a network says less than what a host answered.
static bool is_vague(int error)
{
    return error == 0 || error == ENETUNREACH || error == EAFNOSUPPORT;
}

static void failed(struct eyeballs *e, size_t which, int error)
{
    if (e->error != 0 && (is_vague(error) || !is_vague(e->error)))
        return;
    e->error = error;
    e->error_of = which;
}

static void try_next(struct eyeballs *e);

static void on_attempt(uv_poll_t *poll, int status, int events)
{
    struct eyeballs *e = poll->data;
    struct attempt *attempt = (struct attempt *)poll;
    (void)status;
    (void)events;
    size_t which = (size_t)(attempt - e->attempts);
    int error = socket_error(attempt->fd);
    int fd = take(e, attempt);
    if (error == 0) {
        finish(e, fd, which, 0);
        return;
    }
    close(fd);
    failed(e, which, error);
    try_next(e);
}

// Begins one attempt. True when it is under way or has succeeded, which ends the eyeballs.
static bool begin(struct eyeballs *e, size_t which, bool *over)
{
    int fd = socket_stream(e->to[which].addr.version);
    int status = fd < 0 ? -1 : socket_connect(fd, &e->to[which]);
    if (status == 0) {
        *over = true;
        finish(e, fd, which, 0);
        return true;
    }
    struct attempt *attempt = &e->attempts[which];
    if (status < 0) {
        failed(e, which, errno);
        if (fd >= 0)
            close(fd);
        return false;
    }
    attempt->fd = fd;
    attempt->poll.data = e;
    uv_poll_init(e->loop, &attempt->poll, fd);
    uv_poll_start(&attempt->poll, UV_WRITABLE, on_attempt);
    e->handles++;
    e->pending++;
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct eyeballs *e = timer->data;
    if (uv_now(e->loop) < e->deadline_ms) {
        try_next(e);
        return;
    }
    // A refusal that came meanwhile says more than the silence of the others.
    size_t which = is_vague(e->error) ? 0 : e->error_of;
    finish(e, -1, which, is_vague(e->error) ? ETIMEDOUT : e->error);
}

static void try_next(struct eyeballs *e)
{
    bool over = false;
    bool begun = false;
    while (e->next < e->count && !begun) {
        e->attempts[e->next].fd = -1;
        e->next++;
        begun = begin(e, e->next - 1, &over);
        if (over)
            return;
    }
    if (e->pending == 0) {
        finish(e, -1, e->error_of, e->error);
        return;
    }
    uint64_t now = uv_now(e->loop);
    uint64_t left = e->deadline_ms > now ? e->deadline_ms - now : 0;
    bool more = e->next < e->count && left > ATTEMPT_DELAY_MS;
    uv_timer_start(&e->timer, on_timer, more ? ATTEMPT_DELAY_MS : left, 0);
}

struct eyeballs *eyeballs_new(uv_loop_t *loop, const struct address *addrs, size_t count, uint16_t port,
                              uint32_t timeout_ms, eyeballs_done *done, void *owner)
{
    struct eyeballs *e = memory_new(sizeof *e + count * sizeof e->attempts[0]);
    e->loop = loop;
    e->done = done;
    e->owner = owner;
    e->to = memory_new(count * sizeof e->to[0]);
    interleave(e, addrs, count, port);
    uv_timer_init(loop, &e->timer);
    e->timer.data = e;
    e->handles = 1;
    e->deadline_ms = uv_now(loop) + timeout_ms;
    uv_timer_start(&e->timer, on_timer, 0, 0);
    return e;
}
