// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing is kept of what the news said: whoever is told asks the kernel afresh.

#include "portal/watch.h"

#include "base/memory.h"

#include <stdlib.h>

enum {
    SETTLE_MS = 100,      // from the first change of a burst to the look at it
    PAUSE_MAX_MS = 10000, // between looks that found something to do
};

struct watch {
    struct netlink *nl;
    watch_settled *settled;
    void *owner;
    uv_poll_t news;
    uv_timer_t timer;
    uint64_t pause; // ms before the next look
    unsigned handles;
};

static void settled(uv_timer_t *timer)
{
    struct watch *watch = timer->data;
    watch->settled(watch->owner);
}

static void news(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    (void)status;
    (void)events;
    if (netlink_watch_read(watch->nl) && !uv_is_active((uv_handle_t *)&watch->timer))
        uv_timer_start(&watch->timer, settled, watch->pause, 0);
}

static void closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    if (--watch->handles == 0)
        free(watch);
}

struct watch *watch_new(uv_loop_t *loop, struct netlink *nl, watch_settled *tell, void *owner, struct fault *fault)
{
    int fd = netlink_watch(nl, fault);
    if (fd < 0)
        return NULL;
    netlink_watch_read(nl); // set-up itself is no news
    struct watch *watch = memory_new(sizeof *watch);
    *watch = (struct watch){.nl = nl, .settled = tell, .owner = owner, .pause = SETTLE_MS, .handles = 2};
    uv_poll_init(loop, &watch->news, fd);
    uv_timer_init(loop, &watch->timer);
    watch->news.data = watch->timer.data = watch;
    uv_poll_start(&watch->news, UV_READABLE, news);
    return watch;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    uv_close((uv_handle_t *)&watch->news, closed);
    uv_close((uv_handle_t *)&watch->timer, closed);
}

void watch_acted(struct watch *watch)
{
    netlink_watch_read(watch->nl);
    watch->pause = watch->pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : watch->pause * 2;
}

void watch_calm(struct watch *watch)
{
    watch->pause = SETTLE_MS;
}

void watch_again(struct watch *watch)
{
    if (!uv_is_active((uv_handle_t *)&watch->timer))
        uv_timer_start(&watch->timer, settled, watch->pause, 0);
}
