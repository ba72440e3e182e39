// SPDX-License-Identifier: GPL-2.0-or-later
// Invariant: start <= end <= limit, and both are zero when it is empty, so that the common case (filled, then drained)
// never moves a byte.
#include "link/tls/cipher_buffer.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void cipher_buffer_init(struct cipher_buffer *buffer, size_t limit)
{
    *buffer = (struct cipher_buffer){.limit = limit};
}

void cipher_buffer_fini(struct cipher_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct cipher_buffer){.limit = buffer->limit};
}

void cipher_buffer_trim(struct cipher_buffer *buffer)
{
    if (cipher_buffer_len(buffer) == 0)
        cipher_buffer_fini(buffer);
}

static void make_room(struct cipher_buffer *buffer, size_t len)
{
    // Resized from nothing rather than zeroed: pages that are never received into are never touched.
    if (!buffer->bytes)
        buffer->bytes = memory_resize(NULL, buffer->limit);
    if (buffer->start > 0 && buffer->limit - buffer->end < len) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, cipher_buffer_len(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
}

uint8_t *cipher_buffer_room(struct cipher_buffer *buffer, size_t least, size_t *size)
{
    make_room(buffer, least);
    *size = buffer->limit - buffer->end;
    return buffer->bytes + buffer->end;
}

void cipher_buffer_added(struct cipher_buffer *buffer, size_t len)
{
    assert(len <= buffer->limit - buffer->end);
    buffer->end += len;
}

bool cipher_buffer_append(struct cipher_buffer *buffer, const void *bytes, size_t len)
{
    if (len > buffer->limit - cipher_buffer_len(buffer))
        return false;
    if (!buffer->bytes || bytes != buffer->bytes + buffer->end) {
        make_room(buffer, len);
        memcpy(buffer->bytes + buffer->end, bytes, len);
    }
    cipher_buffer_added(buffer, len);
    return true;
}

const uint8_t *cipher_buffer_bytes(const struct cipher_buffer *buffer, size_t *len)
{
    *len = cipher_buffer_len(buffer);
    return buffer->bytes + buffer->start;
}

void cipher_buffer_taken(struct cipher_buffer *buffer, size_t len)
{
    assert(len <= cipher_buffer_len(buffer));
    buffer->start += len;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}
