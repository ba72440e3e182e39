// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/block.h"

#include "base/memory.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool block_opens(const char *line, char name[BLOCK_NAME_SIZE])
{
    size_t len = strlen(line);
    if (len < 3 || len >= BLOCK_NAME_SIZE || *line != '<' || line[len - 1] != '>')
        return false;
    memcpy(name, line + 1, len - 2);
    name[len - 2] = '\0';
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c))
            return false;
    return true;
}

// `line` may be a part of one; then it does not end like that.
static bool closes(const char *line, const char *name)
{
    const size_t len = strlen(name);
    while (isspace((unsigned char)*line))
        line++;
    if (strncmp(line, "</", 2) || strncasecmp(line + 2, name, len) || line[2 + len] != '>')
        return false;
    for (line += 3 + len; *line; line++)
        if (!isspace((unsigned char)*line))
            return false;
    return true;
}

static void append(struct blob *out, const char *text, size_t len, size_t *room)
{
    if (out->len + len >= *room) {
        struct blob larger = {.bytes = memory_new(2 * (*room + len) + 1), .len = out->len};
        *room = 2 * (*room + len);
        if (out->len)
            memcpy(larger.bytes, out->bytes, out->len);
        blob_wipe(out); // not by realloc, which would leave a secret behind
        *out = larger;
    }
    memcpy(out->bytes + out->len, text, len + 1);
    out->len += len;
}

bool block_take(struct blob *out, FILE *in, const char *name, unsigned *lines)
{
    char part[256];
    size_t room = 0;
    bool begins = true, closed = false;
    *lines = 0;
    *out = (struct blob){0};
    append(out, "", 0, &room);
    while (!closed && fgets(part, sizeof part, in)) {
        *lines += begins;
        closed = begins && closes(part, name);
        if (!closed)
            append(out, part, strlen(part), &room);
        begins = strchr(part, '\n');
    }
    explicit_bzero(part, sizeof part);
    return closed;
}
