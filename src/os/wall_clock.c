// SPDX-License-Identifier: GPL-2.0-or-later
// A timer that never fires, but is cancelled by whatever makes the clock jump (timerfd_create(2)).
#include "os/wall_clock.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct wall_clock {
    uv_poll_t poll;
    int fd;
    void (*set)(void *owner);
    void *owner;
};

// Each cancellation is told once; until the timer is set anew there are no others.
static bool arm(int fd)
{
    enum { FAR = INT32_MAX }; // seconds from now on
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const struct itimerspec never = {.it_value.tv_sec = now.tv_sec + FAR};
    int done;
    while ((done = timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL)) < 0 &&
           errno == ECANCELED)
        ; // it was armed with another clock
    return done == 0;
}

static void ready(uv_poll_t *poll, int status, int events)
{
    struct wall_clock *clock = poll->data;
    uint64_t fired;
    (void)status;
    (void)events;
    bool was_set = read(clock->fd, &fired, sizeof fired) < 0 && errno == ECANCELED;
    arm(clock->fd);
    if (was_set)
        clock->set(clock->owner);
}

struct wall_clock *wall_clock_watch(uv_loop_t *loop, void (*set)(void *owner), void *owner, struct fault *fault)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0 || !arm(fd)) {
        fault_errno(fault, errno, "timerfd");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct wall_clock *clock = memory_new(sizeof *clock);
    *clock = (struct wall_clock){.fd = fd, .set = set, .owner = owner};
    uv_poll_init(loop, &clock->poll, fd);
    clock->poll.data = clock;
    uv_poll_start(&clock->poll, UV_READABLE, ready);
    return clock;
}

static void closed(uv_handle_t *handle)
{
    struct wall_clock *clock = handle->data;
    close(clock->fd);
    free(clock);
}

void wall_clock_free(struct wall_clock *clock)
{
    if (clock)
        uv_close((uv_handle_t *)&clock->poll, closed);
}
