// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: `to[0..started)` were begun, of which `running` are undecided; the timer starts the next one, at once when
// none is left running, and gives up on all of them in the end. Sockets are marked before they connect, or the very
// first packet would go into the tunnel that they are for.
#include "link/connector.h"

#include "base/memory.h"
#include "os/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STAGGER_MS = 250,    // RFC 8305 section 5, "Connection Attempt Delay"
    PATIENCE_MS = 10000, // for an address that says nothing
    WHY_SIZE = 160,      // bytes of a sentence with one endpoint in it
};

struct attempt {
    struct connector *connector;
    struct endpoint to;
    uv_poll_t poll;
    int fd; // -1 when it has none any more
};

struct connector {
    uv_loop_t *loop;
    uv_timer_t timer;
    uint64_t begun_ms;
    uint32_t mark;
    size_t count, started, running;
    size_t handles; // of libuv that are not closed yet
    bool freed;
    void (*done)(void *owner, int fd, const char *why);
    void *owner;
    char why[WHY_SIZE]; // of the first failure, that of the address preferred most
    struct attempt attempts[CONNECTOR_MAX];
};

static void on_closed(uv_handle_t *handle)
{
    struct connector *connector = handle->data;
    if (--connector->handles == 0)
        free(connector);
}

// Takes the socket off the loop; the caller closes it or passes it on.
static int detach(struct attempt *attempt)
{
    int fd = attempt->fd;
    if (fd < 0)
        return -1;
    attempt->fd = -1;
    attempt->poll.data = attempt->connector;
    attempt->connector->running--;
    uv_close((uv_handle_t *)&attempt->poll, on_closed);
    return fd;
}

void connector_free(struct connector *connector)
{
    if (!connector || connector->freed)
        return;
    connector->freed = true;
    for (size_t i = 0; i < connector->started; i++) {
        int fd = detach(&connector->attempts[i]);
        if (fd >= 0)
            close(fd);
    }
    uv_close((uv_handle_t *)&connector->timer, on_closed);
}

static void settle(struct connector *connector, int fd)
{
    void (*done)(void *owner, int fd, const char *why) = connector->done;
    void *owner = connector->owner;
    char why[WHY_SIZE];
    memcpy(why, connector->why, sizeof(why));
    connector_free(connector);
    done(owner, fd, fd < 0 ? why : NULL);
}

static void note_failure(struct connector *connector, const struct endpoint *to, int error)
{
    char text[ENDPOINT_TEXT_SIZE];
    if (connector->why[0] == '\0')
        snprintf(connector->why, sizeof(connector->why), "cannot connect to %s: %s", endpoint_text(to, text),
                 strerror(error));
}

static void on_timer(uv_timer_t *timer);

static void on_decided(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = poll->data;
    struct connector *connector = attempt->connector;
    (void)status;
    (void)events;
    int error = socket_error(attempt->fd);
    int fd = detach(attempt);
    if (error == 0) {
        settle(connector, fd);
        return;
    }
    close(fd);
    note_failure(connector, &attempt->to, error);
    if (connector->running == 0)
        uv_timer_start(&connector->timer, on_timer, 0, 0);
}

static void begin(struct connector *connector)
{
    struct attempt *attempt = &connector->attempts[connector->started++];
    int fd = socket_stream(attempt->to.addr.version);
    bool marked = fd >= 0 && (connector->mark == 0 || socket_set_mark(fd, connector->mark));
    if (!marked || socket_connect(fd, &attempt->to) < 0) {
        note_failure(connector, &attempt->to, errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    attempt->fd = fd;
    attempt->poll.data = attempt;
    uv_poll_init(connector->loop, &attempt->poll, fd);
    uv_poll_start(&attempt->poll, UV_WRITABLE, on_decided);
    connector->running++;
    connector->handles++;
}

static void on_timer(uv_timer_t *timer)
{
    struct connector *connector = timer->data;
    uint64_t patience = connector->begun_ms + PATIENCE_MS, now = uv_now(connector->loop);
    bool begun = false;
    while (connector->started < connector->count && !begun) {
        size_t running = connector->running;
        begin(connector);
        begun = connector->running > running;
    }
    if (connector->running > 0 && now < patience) {
        bool more = connector->started < connector->count;
        uv_timer_start(timer, on_timer, more ? STAGGER_MS : patience - now, 0);
        return;
    }
    for (size_t i = 0; i < connector->started; i++) {
        if (connector->attempts[i].fd >= 0)
            note_failure(connector, &connector->attempts[i].to, ETIMEDOUT);
    }
    settle(connector, -1);
}

struct connector *connector_new(uv_loop_t *loop, const struct endpoint *to, size_t count, uint32_t mark,
                                void (*done)(void *owner, int fd, const char *why), void *owner)
{
    struct connector *connector = memory_new(sizeof(*connector));
    connector->loop = loop;
    connector->mark = mark;
    connector->count = count < CONNECTOR_MAX ? count : CONNECTOR_MAX;
    connector->begun_ms = uv_now(loop);
    connector->done = done;
    connector->owner = owner;
    for (size_t i = 0; i < connector->count; i++)
        connector->attempts[i] = (struct attempt){.connector = connector, .to = to[i], .fd = -1};
    uv_timer_init(loop, &connector->timer);
    connector->timer.data = connector;
    connector->handles = 1;
    uv_timer_start(&connector->timer, on_timer, 0, 0);
    return connector;
}
