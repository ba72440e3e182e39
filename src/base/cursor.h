// SPDX-License-Identifier: GPL-2.0-or-later
// Bounds-checked reading and writing of big-endian bytes. An access past the end sets `failed` and every later one
// yields zero or writes nothing, so a codec checks once, at its end.
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct writer {
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

struct reader reader_over(const void *bytes, size_t len);
size_t reader_left(const struct reader *r);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
// The next `len` bytes, in place; NULL (and failed) when there are fewer.
const uint8_t *reader_bytes(struct reader *r, size_t len);
// The text up to the next NUL, in place, and moves past the NUL; NULL (and failed) when there is no NUL.
const char *reader_text(struct reader *r);

struct writer writer_over(void *room, size_t size);
size_t writer_left(const struct writer *w);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_u64(struct writer *w, uint64_t value);
void writer_bytes(struct writer *w, const void *bytes, size_t len);
void writer_text(struct writer *w, const char *text); // with its NUL

#endif
