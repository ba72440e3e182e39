// SPDX-License-Identifier: GPL-2.0-or-later
// Ciphertext on its way: bytes go in at the back and out at the front, always in one piece, never more than `limit`.
// The memory comes with the first byte and goes with cipher_buffer_trim.
#ifndef LINK_TLS_CIPHER_BUFFER_H
#define LINK_TLS_CIPHER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cipher_buffer {
    uint8_t *bytes; // NULL while there is none
    size_t limit;
    size_t start; // of what is in it
    size_t end;
};

void cipher_buffer_init(struct cipher_buffer *buffer, size_t limit);
void cipher_buffer_fini(struct cipher_buffer *buffer);
// Gives the memory back if nothing is in it.
void cipher_buffer_trim(struct cipher_buffer *buffer);

static inline size_t cipher_buffer_len(const struct cipher_buffer *buffer)
{
    return buffer->end - buffer->start;
}

// The room at the back, `least` bytes or all there is if that is less; then how much of it was filled.
uint8_t *cipher_buffer_room(struct cipher_buffer *buffer, size_t least, size_t *size);
void cipher_buffer_added(struct cipher_buffer *buffer, size_t len);
// False, with nothing done, when it does not fit. Bytes that lie in that room already are not copied.
bool cipher_buffer_append(struct cipher_buffer *buffer, const void *bytes, size_t len);
// What is in it, then how much of that was taken.
const uint8_t *cipher_buffer_bytes(const struct cipher_buffer *buffer, size_t *len);
void cipher_buffer_taken(struct cipher_buffer *buffer, size_t len);

#endif
