// SPDX-License-Identifier: GPL-2.0-or-later
// Lists in the order of time; see the header.
#include "edge/capture/timeline.h"

static struct timed *timed_of(struct list *node)
{
    return container_of(node, struct timed, node);
}

void timeline_init(struct timeline *timeline, usec_t span)
{
    list_init(&timeline->fresh);
    list_init(&timeline->dated);
    timeline->span = span;
}

void timeline_put(struct timeline *timeline, struct timed *timed)
{
    list_remove(&timed->node);
    list_push_back(&timeline->fresh, &timed->node);
}

void timeline_settle(struct timeline *timeline, usec_t now)
{
    for (struct list *node; (node = list_pop_front(&timeline->fresh));) {
        timed_of(node)->since = now;
        list_push_back(&timeline->dated, node);
    }
}

struct timed *timeline_expired(struct timeline *timeline, usec_t now)
{
    if (timeline_deadline(timeline) > now)
        return NULL;
    return timed_of(list_pop_front(&timeline->dated));
}

struct timed *timeline_pop(struct timeline *timeline)
{
    struct list *node = list_pop_front(&timeline->dated);
    if (!node)
        node = list_pop_front(&timeline->fresh);
    return node ? timed_of(node) : NULL;
}

usec_t timeline_deadline(const struct timeline *timeline)
{
    if (list_is_empty(&timeline->dated))
        return USEC_NEVER;
    return timed_of(timeline->dated.next)->since + timeline->span;
}

bool timeline_is_empty(const struct timeline *timeline)
{
    return list_is_empty(&timeline->fresh) && list_is_empty(&timeline->dated);
}
