// SPDX-License-Identifier: GPL-2.0-or-later
// One timer, and one watch an attempt. Everything happens in callbacks of the loop, the first attempt too, and the
// memory goes when libuv has let go of the timer.
#include "edge/dial/eyeballs.h"

#include "base/list.h"
#include "base/memory.h"
#include "os/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { ATTEMPT_DELAY_MS = 250 }; // Connection Attempt Delay, RFC 8305 section 5

struct attempt {
    struct poller_watch watch; // fd -1: not under way
    struct eyeballs *eyeballs;
};

struct eyeballs {
    uv_timer_t timer;
    struct poller *poller;
    eyeballs_done *done;
    void *owner;
    struct endpoint *to; // in the order of attempts
    size_t count;
    size_t next;          // the attempt to be made next
    size_t pending;       // attempts under way
    uint64_t deadline_ms; // for all together, on the loop's clock
    int error;            // the most telling failure, and
    size_t error_of;      // whose
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
    free(e->to);
    free(e);
}

// Ends one attempt; its descriptor is the caller's.
static int take(struct eyeballs *e, struct attempt *attempt)
{
    int fd = attempt->watch.fd;
    poller_forget(e->poller, &attempt->watch);
    attempt->watch.fd = -1;
    e->pending--;
    return fd;
}

void eyeballs_cancel(struct eyeballs *e)
{
    for (size_t i = 0; i < e->next; i++)
        if (e->attempts[i].watch.fd >= 0)
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

static void on_attempt(struct poller_watch *watch, uint32_t events)
{
    struct attempt *attempt = container_of(watch, struct attempt, watch);
    struct eyeballs *e = attempt->eyeballs;
    size_t which = (size_t)(attempt - e->attempts);
    bool broken = events & (EPOLLERR | EPOLLHUP);
    int error = broken ? socket_error(watch->fd) : 0;
    int fd = take(e, attempt);
    if (!broken) {
        finish(e, fd, which, 0);
        return;
    }
    close(fd);
    failed(e, which, error != 0 ? error : ECONNRESET);
    try_next(e);
}

// Begins one attempt. True when it is under way.
static bool begin(struct eyeballs *e, size_t which)
{
    struct attempt *attempt = &e->attempts[which];
    int fd = socket_stream(e->to[which].addr.version);
    attempt->eyeballs = e;
    if (fd >= 0 && socket_connect(fd, &e->to[which]) >= 0 &&
        poller_add(e->poller, &attempt->watch, fd, EPOLLOUT | EPOLLET, on_attempt)) {
        e->pending++;
        return true;
    }
    failed(e, which, errno);
    attempt->watch.fd = -1;
    if (fd >= 0)
        close(fd);
    return false;
}

static void on_timer(uv_timer_t *timer)
{
    struct eyeballs *e = timer->data;
    if (uv_now(timer->loop) < e->deadline_ms) {
        try_next(e);
        return;
    }
    // A refusal that came meanwhile says more than the silence of the others.
    size_t which = is_vague(e->error) ? 0 : e->error_of;
    finish(e, -1, which, is_vague(e->error) ? ETIMEDOUT : e->error);
}

static void try_next(struct eyeballs *e)
{
    bool begun = false;
    while (e->next < e->count && !begun)
        begun = begin(e, e->next++);
    if (e->pending == 0) {
        finish(e, -1, e->error_of, e->error);
        return;
    }
    uint64_t now = uv_now(e->timer.loop);
    uint64_t left = e->deadline_ms > now ? e->deadline_ms - now : 0;
    bool more = e->next < e->count && left > ATTEMPT_DELAY_MS;
    uv_timer_start(&e->timer, on_timer, more ? ATTEMPT_DELAY_MS : left, 0);
}

struct eyeballs *eyeballs_new(uv_loop_t *loop, struct poller *poller, const struct address *addrs, size_t count,
                              uint16_t port, uint32_t timeout_ms, eyeballs_done *done, void *owner)
{
    struct eyeballs *e = memory_new(sizeof *e + count * sizeof e->attempts[0]);
    e->poller = poller;
    e->done = done;
    e->owner = owner;
    e->to = memory_new(count * sizeof e->to[0]);
    interleave(e, addrs, count, port);
    uv_timer_init(loop, &e->timer);
    e->timer.data = e;
    e->deadline_ms = uv_now(loop) + timeout_ms;
    uv_timer_start(&e->timer, on_timer, 0, 0);
    return e;
}
