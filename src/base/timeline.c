// SPDX-License-Identifier: GPL-2.0-or-later
// Lists in the order of time; see the header.
#include "base/timeline.h"

static struct timed *timed_of(struct list *node)
{
    return container_of(node, struct timed, node);
}

void timeline_init(struct timeline *timeline, uint32_t span)
{
    list_init(&timeline->waiting);
    timeline->span = span;
}

void timeline_put(struct timeline *timeline, struct timed *timed, uint32_t now)
{
    timed->due = now + timeline->span;
    list_remove(&timed->node);
    list_push_back(&timeline->waiting, &timed->node);
}

bool timeline_is_empty(const struct timeline *timeline)
{
    return list_is_empty(&timeline->waiting);
}

static int32_t first_left(const struct timeline *timeline, uint32_t now)
{
    return (int32_t)(timed_of(timeline->waiting.next)->due - now);
}

struct timed *timeline_pop(struct timeline *timeline)
{
    struct list *node = list_pop_front(&timeline->waiting);
    return node ? timed_of(node) : NULL;
}

struct timed *timeline_expired(struct timeline *timeline, uint32_t now)
{
    if (timeline_is_empty(timeline) || first_left(timeline, now) > 0)
        return NULL;
    return timeline_pop(timeline);
}

usec_t timelines_deadline(const struct timeline *lines, size_t count, usec_t now)
{
    int32_t least = INT32_MAX;
    for (size_t i = 0; i < count; i++) {
        int32_t left = timeline_is_empty(&lines[i]) ? INT32_MAX : first_left(&lines[i], timeline_moment(now));
        if (left < least)
            least = left;
    }
    if (least == INT32_MAX)
        return USEC_NEVER;
    return (now / USEC_PER_MSEC + (least > 0 ? (uint32_t)least : 0)) * USEC_PER_MSEC;
}
