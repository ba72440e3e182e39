// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/json.h"

#include <stdio.h>
#include <string.h>

struct json_line json_begin(char *room, size_t size)
{
    struct json_line line = {.start = room, .at = room, .end = room + size};
    line.failed = size < 2;
    if (!line.failed)
        *line.at++ = '{';
    return line;
}

static void put(struct json_line *line, const char *bytes, size_t len)
{
    if ((size_t)(line->end - line->at) < len)
        line->failed = true;
    if (line->failed)
        return;
    memcpy(line->at, bytes, len);
    line->at += len;
}

static void put_name(struct json_line *line, const char *name)
{
    if (line->at > line->start + 1)
        put(line, ",", 1);
    put(line, "\"", 1);
    put(line, name, strlen(name));
    put(line, "\":", 2);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '\\' && c != '"';
}

void json_text(struct json_line *line, const char *name, const char *value)
{
    put_name(line, name);
    put(line, "\"", 1);
    while (*value) {
        size_t plain = 0;
        while (is_plain((unsigned char)value[plain]))
            plain++;
        put(line, value, plain);
        value += plain;
        if (*value) {
            char escaped[6];
            put(line, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\\\x%02x", (unsigned char)*value++));
        }
    }
    put(line, "\"", 1);
}

void json_number(struct json_line *line, const char *name, uint64_t value)
{
    char digits[24];
    put_name(line, name);
    put(line, digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value));
}

size_t json_end(struct json_line *line)
{
    put(line, "}\n", 2);
    return line->failed ? 0 : (size_t)(line->at - line->start);
}
