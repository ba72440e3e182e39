// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/path/gate.h"

#include "base/memory.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_same(const struct path_gate *a, const struct path_gate *b)
{
    return a->port == b->port && !strcasecmp(a->host, b->host) && !strcasecmp(a->peer_name, b->peer_name);
}

size_t path_gate_find(const struct path_gate *gates, size_t count, const struct path_gate *gate)
{
    size_t i = 0;
    while (i < count && !is_same(&gates[i], gate))
        i++;
    return i;
}

struct path_gate *path_gate_copy(const struct path_gate *gate)
{
    size_t host = strlen(gate->host) + 1, name = strlen(gate->peer_name) + 1;
    struct path_gate *copy = memory_new(sizeof *copy + host + name);
    char *room = (char *)(copy + 1);
    memcpy(room, gate->host, host);
    memcpy(room + host, gate->peer_name, name);
    *copy = (struct path_gate){.host = room, .port = gate->port, .peer_name = room + host};
    return copy;
}
