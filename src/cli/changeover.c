// SPDX-License-Identifier: GPL-2.0-or-later
// The clock may be set at any time, so it is looked at once a minute.
#include "cli/changeover.h"

#include "base/memory.h"
#include "config/validity.h"
#include "os/random.h"

#include <stdlib.h>
#include <time.h>

enum { LOOK_MS = 60 * 1000 };

struct changeover {
    uv_timer_t timer;
    void (*due)(void *owner);
    void *owner;
    usec_t until;  // of what the tunnel has shown; 0: there is none, or it is to be left already
    usec_t moment; // when that is due
    usec_t newest; // until when the next one will be good
};

static usec_t wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + (usec_t)now.tv_nsec / 1000;
}

static void look(uv_timer_t *timer)
{
    struct changeover *changeover = timer->data;
    usec_t now = wall();
    uv_timer_stop(timer);
    if (!changeover->until || changeover->until == USEC_NEVER || changeover->newest <= changeover->until)
        return;
    if (now < changeover->moment) {
        usec_t ms = (changeover->moment - now) / USEC_PER_MSEC + 1;
        uv_timer_start(timer, look, ms < LOOK_MS ? ms : LOOK_MS, 0);
        return;
    }
    changeover->until = 0;
    changeover->due(changeover->owner);
}

struct changeover *changeover_new(uv_loop_t *loop, void (*due)(void *owner), void *owner)
{
    struct changeover *changeover = memory_new(sizeof *changeover);
    changeover->due = due;
    changeover->owner = owner;
    uv_timer_init(loop, &changeover->timer);
    changeover->timer.data = changeover;
    uv_unref((uv_handle_t *)&changeover->timer);
    return changeover;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void changeover_free(struct changeover *changeover)
{
    if (changeover)
        uv_close((uv_handle_t *)&changeover->timer, closed);
}

// Not from within the caller's own call.
static void look_soon(struct changeover *changeover)
{
    uv_timer_start(&changeover->timer, look, 0, 0);
}

void changeover_tunnel(struct changeover *changeover, usec_t until)
{
    changeover->until = until;
    changeover->moment = validity_moment_to_leave(until, wall(), random_number());
    look_soon(changeover);
}

void changeover_certificate(struct changeover *changeover, usec_t until)
{
    changeover->newest = until;
    look_soon(changeover);
}
