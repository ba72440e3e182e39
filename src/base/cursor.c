// SPDX-License-Identifier: GPL-2.0-or-later
// Every access goes through reader_bytes or claim, which alone move the cursor and know the end.
#include "base/cursor.h"

#include <string.h>

struct reader reader_over(const void *bytes, size_t len)
{
    return (struct reader){.at = bytes, .end = (const uint8_t *)bytes + len};
}

size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

const uint8_t *reader_bytes(struct reader *r, size_t len)
{
    if (r->failed || reader_left(r) < len) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += len;
    return bytes;
}

uint8_t reader_u8(struct reader *r)
{
    const uint8_t *b = reader_bytes(r, 1);
    return b ? b[0] : 0;
}

uint16_t reader_u16(struct reader *r)
{
    const uint8_t *b = reader_bytes(r, 2);
    return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

uint32_t reader_u32(struct reader *r)
{
    const uint8_t *b = reader_bytes(r, 4);
    return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

uint64_t reader_u64(struct reader *r)
{
    const uint8_t *b = reader_bytes(r, 8);
    uint64_t value = 0;
    for (int i = 0; b && i < 8; i++)
        value = value << 8 | b[i];
    return value;
}

const char *reader_text(struct reader *r)
{
    const uint8_t *nul = r->failed ? NULL : memchr(r->at, 0, reader_left(r));
    if (!nul) {
        r->failed = true;
        return NULL;
    }
    const char *text = (const char *)r->at;
    r->at = nul + 1;
    return text;
}

struct writer writer_over(void *room, size_t size)
{
    return (struct writer){.at = room, .end = (uint8_t *)room + size};
}

size_t writer_left(const struct writer *w)
{
    return (size_t)(w->end - w->at);
}

// Where the next `len` bytes go; NULL (and failed) when they do not fit.
static uint8_t *claim(struct writer *w, size_t len)
{
    if (w->failed || writer_left(w) < len) {
        w->failed = true;
        return NULL;
    }
    uint8_t *at = w->at;
    w->at += len;
    return at;
}

void writer_u8(struct writer *w, uint8_t value)
{
    uint8_t *at = claim(w, 1);
    if (at)
        at[0] = value;
}

void writer_u16(struct writer *w, uint16_t value)
{
    uint8_t *at = claim(w, 2);
    if (!at)
        return;
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void writer_u32(struct writer *w, uint32_t value)
{
    uint8_t *at = claim(w, 4);
    if (!at)
        return;
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void writer_u64(struct writer *w, uint64_t value)
{
    uint8_t *at = claim(w, 8);
    for (int i = 0; at && i < 8; i++)
        at[i] = (uint8_t)(value >> (56 - 8 * i));
}

void writer_bytes(struct writer *w, const void *bytes, size_t len)
{
    uint8_t *at = claim(w, len);
    if (at && len > 0)
        memcpy(at, bytes, len);
}

void writer_text(struct writer *w, const char *text)
{
    writer_bytes(w, text, strlen(text) + 1);
}
