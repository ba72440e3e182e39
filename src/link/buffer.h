// SPDX-License-Identifier: GPL-2.0-or-later
// Ciphertext on its way: bytes go in at the back and out at the front, always in one piece, never more than `limit`.
// The memory comes with the first byte and goes with buffer_trim.
#ifndef LINK_BUFFER_H
#define LINK_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *bytes; // NULL while there is none
    size_t limit;
    size_t start; // of what is in it
    size_t end;
};

void buffer_init(struct buffer *buffer, size_t limit);
void buffer_fini(struct buffer *buffer);
// Gives the memory back if nothing is in it.
void buffer_trim(struct buffer *buffer);

static inline size_t buffer_len(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

// All the room there is, then how much of it was filled.
uint8_t *buffer_room(struct buffer *buffer, size_t *size);
void buffer_added(struct buffer *buffer, size_t len);
// False, with nothing done, when it does not fit.
bool buffer_append(struct buffer *buffer, const void *bytes, size_t len);
// What is in it, then how much of that was taken.
const uint8_t *buffer_bytes(const struct buffer *buffer, size_t *len);
void buffer_taken(struct buffer *buffer, size_t len);

#endif
