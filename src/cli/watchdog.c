// SPDX-License-Identifier: GPL-2.0-or-later
// Without a service manager that asks for it there is no watchdog, and the pointer is NULL.

#include "cli/watchdog.h"

#include "base/memory.h"
#include "os/process/notify.h"

#include <stdlib.h>

struct watchdog {
    uv_timer_t timer;
};

static void due(uv_timer_t *timer)
{
    (void)timer;
    notify_alive();
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct watchdog *watchdog_new(uv_loop_t *loop)
{
    usec_t interval = notify_alive_interval();
    if (interval == USEC_NEVER)
        return NULL;
    struct watchdog *watchdog = memory_new(sizeof *watchdog);
    uv_timer_init(loop, &watchdog->timer);
    watchdog->timer.data = watchdog;
    uv_timer_start(&watchdog->timer, due, 0, interval / USEC_PER_MSEC);
    uv_unref((uv_handle_t *)&watchdog->timer);
    return watchdog;
}

void watchdog_free(struct watchdog *watchdog)
{
    if (watchdog)
        uv_close((uv_handle_t *)&watchdog->timer, closed);
}
