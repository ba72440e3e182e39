// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(char *room, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t three =
            (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        *room++ = standard[three >> 18];
        *room++ = standard[three >> 12 & 63];
        *room++ = left > 1 ? standard[three >> 6 & 63] : '=';
        *room++ = left > 2 ? standard[three & 63] : '=';
    }
    *room = '\0';
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(uint8_t *room, size_t *len, const char *text, size_t text_len)
{
    uint32_t bits = 0;
    unsigned count = 0; // of bits that are not written yet
    *len = 0;
    for (size_t i = 0; i < text_len; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            room[(*len)++] = (uint8_t)(bits >> count);
        }
    }
    // A lone character says less than a byte, and what is left over of the last is zero.
    return text_len % 4 != 1 && (bits & ((1u << count) - 1)) == 0;
}
