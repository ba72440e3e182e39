// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/listening.h"

#include "base/memory.h"
#include "os/socket.h"

#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 1024 }; // connections before accept: a browser's start

void listening_taken(struct listening *listening)
{
    free(listening->fds);
    *listening = (struct listening){0};
}

void listening_close(struct listening *listening)
{
    while (listening->count > 0)
        close(listening->fds[--listening->count]);
    listening_taken(listening);
}

bool listening_open(struct listening *out, const struct value_endpoints *at, struct fault *fault)
{
    out->fds = memory_new((at->count + 1) * sizeof *out->fds);
    for (size_t i = 0; i < at->count; i++) {
        int fd = socket_listen(&at->items[i], BACKLOG, fault);
        if (fd < 0) {
            listening_close(out);
            return false;
        }
        out->fds[out->count++] = fd;
    }
    return true;
}
