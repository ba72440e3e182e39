// SPDX-License-Identifier: GPL-2.0-or-later
#include "pipe.h"

#include "check.h"

size_t pipe_room(const struct pipe *pipe)
{
    return PIPE_ROOM - pipe->len;
}

void pipe_write(struct pipe *pipe, const uint8_t *bytes, size_t len)
{
    CHECK(len <= pipe_room(pipe));
    for (size_t i = 0; i < len; i++)
        pipe->bytes[(pipe->head + pipe->len + i) % PIPE_ROOM] = bytes[i];
    pipe->len += len;
}

size_t pipe_ready(const struct pipe *pipe, usec_t now)
{
    return now < pipe->stalled_until ? 0 : pipe->len;
}

void pipe_read(struct pipe *pipe, uint8_t *bytes, size_t len)
{
    CHECK(len <= pipe->len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = pipe->bytes[(pipe->head + i) % PIPE_ROOM];
    pipe->head = (pipe->head + len) % PIPE_ROOM;
    pipe->len -= len;
}
