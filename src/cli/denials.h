// SPDX-License-Identifier: GPL-2.0-or-later
// What was refused by rules, as text, for both programs: `denials`, and in short below their status.
#ifndef CLI_DENIALS_H
#define CLI_DENIALS_H

#include <stdio.h>

struct json_t;

// The list "denials" of an answer as a table, or that there are none.
void denials_print(FILE *out, const struct json_t *answer);
// One line, where there are any; `program` is whose command shows them all.
void denials_print_count(FILE *out, const struct json_t *status, const char *program);

#endif
