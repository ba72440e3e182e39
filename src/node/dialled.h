// SPDX-License-Identifier: GPL-2.0-or-later
// A node whose tunnels are dialled: they come by a path to a gate, one after the other.
#ifndef NODE_DIALLED_H
#define NODE_DIALLED_H

#include "link/path/path.h"
#include "node/node.h"

// As node_set_link. Borrowed until node_set_link(node, NULL, NULL).
void dialled_set_path(struct node *node, struct path *path);

#endif
