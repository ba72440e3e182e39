// SPDX-License-Identifier: GPL-2.0-or-later
#include "node/dialled.h"

static bool turn(void *link, usec_t now)
{
    return path_turn(link, now);
}

static struct tunnel *tunnel(void *link)
{
    return path_tunnel(link);
}

static void want(void *link, bool wanted)
{
    path_want(link, wanted);
}

static const struct usher_counters *left(void *link)
{
    return path_left_counters(link);
}

void dialled_set_path(struct node *node, struct path *path)
{
    static const struct node_link link = {.turn = turn, .tunnel = tunnel, .want = want, .left = left};
    node_set_link(node, &link, path);
}
