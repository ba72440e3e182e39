// SPDX-License-Identifier: GPL-2.0-or-later
// A batch of events is told in one go, and any of its callbacks may end any watch. So every watch knows the place of its
// event in the batch, and forgetting it empties that place. Events that found no room in a batch keep the descriptor of
// epoll readable: the loop looks at everything else and comes back.
#include "os/socket/poller.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 256 }; // events told before the rest of the loop has its turn

struct poller {
    uv_poll_t poll;
    int fd;
    bool fresh; // something was added since the last batch
    struct epoll_event batch[BATCH];
};

static void mark(struct poller *poller, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct poller_watch *watch = poller->batch[i].data.ptr;
        watch->place = i + 1;
    }
}

static void tell(struct poller *poller)
{
    poller->fresh = false;
    int result = epoll_wait(poller->fd, poller->batch, BATCH, 0);
    uint32_t count = result > 0 ? (uint32_t)result : 0;
    mark(poller, count);
    for (uint32_t i = 0; i < count; i++) {
        struct poller_watch *watch = poller->batch[i].data.ptr;
        if (!watch)
            continue;
        watch->place = 0;
        watch->ready(watch, poller->batch[i].events);
    }
}

static void on_events(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    tell(poll->data);
}

void poller_turn(struct poller *poller)
{
    if (poller->fresh)
        tell(poller);
}

struct poller *poller_new(uv_loop_t *loop)
{
    struct poller *poller = memory_new(sizeof *poller);
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    int result = uv_poll_init(loop, &poller->poll, poller->fd);
    assert(poller->fd >= 0 && result == 0);
    poller->poll.data = poller;
    uv_poll_start(&poller->poll, UV_READABLE, on_events);
    return poller;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void poller_free(struct poller *poller)
{
    uv_close((uv_handle_t *)&poller->poll, closed);
    close(poller->fd);
}

static bool control(struct poller *poller, int operation, struct poller_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(poller->fd, operation, watch->fd, &event) == 0;
}

bool poller_add(struct poller *poller, struct poller_watch *watch, int fd, uint32_t events, poller_ready *ready)
{
    *watch = (struct poller_watch){.ready = ready, .fd = fd};
    poller->fresh = true;
    return control(poller, EPOLL_CTL_ADD, watch, events);
}

void poller_forget(struct poller *poller, struct poller_watch *watch)
{
    if (watch->place != 0)
        poller->batch[watch->place - 1].data.ptr = NULL;
    watch->place = 0;
}

void poller_delete(struct poller *poller, struct poller_watch *watch)
{
    poller_forget(poller, watch);
    control(poller, EPOLL_CTL_DEL, watch, 0);
}
