// SPDX-License-Identifier: GPL-2.0-or-later
// A gate as it is configured.
#ifndef LINK_PATH_GATE_H
#define LINK_PATH_GATE_H

#include <stddef.h>
#include <stdint.h>

struct path_gate {
    const char *host; // name or address
    uint16_t port;
    const char *peer_name; // what its certificate must carry
};

// Its place among them; `count` when it is none of them.
size_t path_gate_find(const struct path_gate *gates, size_t count, const struct path_gate *gate);
// A copy in one piece, to be freed.
struct path_gate *path_gate_copy(const struct path_gate *gate);

#endif
