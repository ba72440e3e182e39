// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/listening.h"

#include "base/memory.h"
#include "os/socket/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,   // connections before accept: a browser's start
    LOW_PORTS = 1024, // for the privileged
};

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

bool listening_is_among(const struct value_endpoints *all, const struct endpoint *at)
{
    size_t i = 0;
    while (i < all->count && !endpoint_equal(&all->items[i], at))
        i++;
    return i < all->count;
}

void listening_explain(const struct endpoint *at, struct fault *fault)
{
    size_t len = strlen(fault->text);
    if (at->port < LOW_PORTS && geteuid() != 0)
        snprintf(fault->text + len, sizeof fault->text - len, "; it is opened when the portal is started again");
}

bool listening_open_new(struct listening *out, const struct value_endpoints *before, const struct value_endpoints *now,
                        struct fault *fault)
{
    out->fds = memory_new((now->count + 1) * sizeof *out->fds);
    for (size_t i = 0; i < now->count; i++) {
        if (listening_is_among(before, &now->items[i]))
            continue;
        int fd = socket_listen(&now->items[i], BACKLOG, fault);
        if (fd < 0) {
            listening_explain(&now->items[i], fault);
            listening_close(out);
            return false;
        }
        out->fds[out->count++] = fd;
    }
    return true;
}

bool listening_open(struct listening *out, const struct value_endpoints *at, struct fault *fault)
{
    static const struct value_endpoints none;
    return listening_open_new(out, &none, at, fault);
}
