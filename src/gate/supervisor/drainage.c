// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/drainage.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct drainage {
    uv_timer_t pace;
    const struct list *children;
    uint64_t timeout_ms;
};

static struct child *child_of(struct list *node)
{
    return container_of(node, struct child, node);
}

static void pace(uv_timer_t *timer)
{
    struct drainage *drainage = timer->data;
    size_t told = 0;
    list_for_each(node, drainage->children) {
        struct child *child = child_of(node);
        if (!child->drain_due)
            continue;
        if (told++ == DRAINAGE_PART)
            return;
        child->drain_due = false;
        child_drain(child, drainage->timeout_ms);
        drainage_bound(drainage, child);
    }
    uv_timer_stop(timer);
}

uint64_t drainage_begin(struct drainage *drainage, uint64_t timeout_ms)
{
    uint64_t count = 0;
    drainage->timeout_ms = timeout_ms;
    list_for_each(node, drainage->children) {
        struct child *child = child_of(node);
        if (child->ending || child->drain_due || (child->draining && !child->wants_to_leave))
            continue;
        child->drain_due = true;
        count++;
    }
    uv_timer_start(&drainage->pace, pace, 0, DRAINAGE_MS);
    return count;
}

void drainage_bound(const struct drainage *drainage, const struct child *child)
{
    struct child *oldest = NULL;
    size_t count = 0;
    list_for_each(node, drainage->children) {
        struct child *other = child_of(node);
        if (!other->draining || other->ending || !other->up || strcasecmp(other->name, child->name))
            continue;
        if (!oldest)
            oldest = other;
        count++;
    }
    if (child->up && count > DRAINAGE_OF_NAME_MAX)
        child_end(oldest, "too many tunnels of this portal drain");
}

size_t drainage_others(const struct drainage *drainage)
{
    size_t count = 0;
    list_for_each(node, drainage->children)
        count += !child_of(node)->draining;
    return count;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct drainage *drainage_new(uv_loop_t *loop, const struct list *children)
{
    struct drainage *drainage = memory_new(sizeof *drainage);
    drainage->children = children;
    uv_timer_init(loop, &drainage->pace);
    drainage->pace.data = drainage;
    return drainage;
}

void drainage_free(struct drainage *drainage)
{
    if (drainage)
        uv_close((uv_handle_t *)&drainage->pace, closed);
}
