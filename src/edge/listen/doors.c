// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/doors.h"

#include "base/memory.h"
#include "os/socket/socket.h"

#include <stdlib.h>

struct door {
    struct list node;
    struct listener *listener;
    struct endpoint at;
};

static struct door *door_of(struct list *node)
{
    return container_of(node, struct door, node);
}

void doors_open(struct list *doors, uv_loop_t *loop, int fd, listener_accepted *accepted, void *owner)
{
    struct door *door = memory_new(sizeof *door);
    socket_local(fd, &door->at);
    door->listener = listener_new(loop, fd, accepted, owner);
    list_push_back(doors, &door->node);
}

static void close_door(struct door *door)
{
    list_remove(&door->node);
    listener_free(door->listener);
    free(door);
}

void doors_close(struct list *doors)
{
    list_for_each(node, doors)
        close_door(door_of(node));
}

void doors_close_at(struct list *doors, const struct endpoint *at)
{
    list_for_each(node, doors) {
        if (endpoint_equal(&door_of(node)->at, at))
            close_door(door_of(node));
    }
}

void doors_describe(const struct list *doors, struct facts *facts, const char *name, const char *help)
{
    char text[ENDPOINT_TEXT_SIZE];
    facts_list(facts, name);
    list_for_each(node, doors)
        facts_text(facts, "", help, endpoint_text(&door_of(node)->at, text));
    facts_end(facts);
}
