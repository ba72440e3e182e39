// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/markup.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct markup *out, const char *bytes, size_t len)
{
    if (out->size - out->len <= len) {
        out->size = 2 * out->size + len + 1024;
        out->bytes = memory_resize(out->bytes, out->size);
    }
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
    out->bytes[out->len] = '\0';
}

void markup_raw(struct markup *out, const char *literal)
{
    put(out, literal, strlen(literal));
}

// The length of the UTF-8 sequence that begins there, 0 when it is none; its character goes to `point`.
static size_t sequence(const unsigned char *at, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = *at < 0x80                  ? 1
                 : *at >= 0xc2 && *at < 0xe0 ? 2
                 : (*at & 0xf0) == 0xe0      ? 3
                 : (*at & 0xf8) == 0xf0      ? 4
                                             : 0;
    if (!len)
        return 0;
    *point = len == 1 ? *at : *at & (0x7f >> len);
    for (size_t i = 1; i < len; i++) { // a NUL is no continuation, so this stays inside
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (at[i] & 0x3f);
    }
    bool is_surrogate = *point >= 0xd800 && *point < 0xe000;
    return *point < least[len] || *point > 0x10ffff || is_surrogate ? 0 : len;
}

static bool is_tricky(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c || (point >= 0x200b && point <= 0x200f) ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
           point >= 0xe0000;
}

static const char *entity(uint32_t point)
{
    switch (point) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void markup_text(struct markup *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        uint32_t point = 0;
        size_t len = sequence(at, &point);
        const char *instead = !len || is_tricky(point) ? "\xef\xbf\xbd" : entity(point);
        if (instead)
            markup_raw(out, instead);
        else
            put(out, (const char *)at, len);
        at += len ? len : 1;
    }
}

static void encode(struct markup *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        char code[4];
        if (isalnum(*at) || strchr("-_.~", *at)) {
            put(out, (const char *)at, 1);
        } else {
            snprintf(code, sizeof code, "%%%02X", *at);
            put(out, code, 3);
        }
    }
}

void markup_form(struct markup *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *at = format; *at;) {
        size_t plain = strcspn(at, "%");
        put(out, at, plain);
        at += plain;
        if (!*at)
            break;
        if (at[1] == 's')
            markup_text(out, va_arg(args, const char *));
        else if (at[1] == 'u')
            encode(out, va_arg(args, const char *));
        else
            put(out, "%", 1);
        at += at[1] ? 2 : 1;
    }
    va_end(args);
}

void markup_printf(struct markup *out, const char *format, ...)
{
    char room[256];
    va_list args;
    va_start(args, format);
    vsnprintf(room, sizeof room, format, args);
    va_end(args);
    markup_raw(out, room);
}

void markup_free(struct markup *out)
{
    free(out->bytes);
    *out = (struct markup){0};
}
