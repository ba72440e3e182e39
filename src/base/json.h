// SPDX-License-Identifier: GPL-2.0-or-later
// One flat JSON object (RFC 8259), written into the caller's room as one line, for who writes ten thousand a second.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_line {
    char *start, *at, *end;
    bool failed; // it did not fit
};

struct json_line json_begin(char *room, size_t size);
// `name` is ours and plain. Of `value` every byte that is not printable ASCII, and the backslash and the double quote, stands as
// \xNN, as base/text.h has it: so it is text in any encoding, and the same as in logs.
void json_text(struct json_line *line, const char *name, const char *value);
void json_number(struct json_line *line, const char *name, uint64_t value);
// Its length with the newline at its end; 0 when it did not fit.
size_t json_end(struct json_line *line);

#endif
