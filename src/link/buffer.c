// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: start <= end <= limit, and both are zero when it is empty, so that the common case (filled, then drained)
// never moves a byte.
#include "link/buffer.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_fini(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){.limit = buffer->limit};
}

void buffer_trim(struct buffer *buffer)
{
    if (buffer_len(buffer) == 0)
        buffer_fini(buffer);
}

static void make_room(struct buffer *buffer, size_t len)
{
    // Resized from nothing rather than zeroed: pages that are never received into are never touched.
    if (!buffer->bytes)
        buffer->bytes = memory_resize(NULL, buffer->limit);
    if (buffer->start > 0 && buffer->limit - buffer->end < len) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer_len(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
}

uint8_t *buffer_room(struct buffer *buffer, size_t *size)
{
    make_room(buffer, buffer->limit);
    *size = buffer->limit - buffer->end;
    return buffer->bytes + buffer->end;
}

void buffer_added(struct buffer *buffer, size_t len)
{
    assert(len <= buffer->limit - buffer->end);
    buffer->end += len;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t len)
{
    if (len > buffer->limit - buffer_len(buffer))
        return false;
    make_room(buffer, len);
    memcpy(buffer->bytes + buffer->end, bytes, len);
    buffer->end += len;
    return true;
}

const uint8_t *buffer_bytes(const struct buffer *buffer, size_t *len)
{
    *len = buffer_len(buffer);
    return buffer->bytes + buffer->start;
}

void buffer_taken(struct buffer *buffer, size_t len)
{
    assert(len <= buffer_len(buffer));
    buffer->start += len;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}
