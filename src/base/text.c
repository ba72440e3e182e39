// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '\\' && c != '"';
}

const char *text_escape(char *room, size_t size, const char *text)
{
    const size_t tail = sizeof "...";
    size_t used = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        size_t need = is_plain(c) ? 1 : 4;
        if (used + need + tail > size) {
            memcpy(room + used, "...", tail);
            return room;
        }
        if (need == 1)
            room[used] = (char)c;
        else
            snprintf(room + used, 5, "\\x%02x", c);
        used += need;
    }
    room[used] = '\0';
    return room;
}
