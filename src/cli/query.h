// SPDX-License-Identifier: GPL-2.0-or-later
// Asking running instances, and showing what they say: as text for people, as one JSON object for programs.
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct query {
    const char *program; // for messages
    const char *role;    // "portal" or "gate"
    const char *line;    // of the control socket
    const char *name;    // NULL: every instance of this role
    bool json;
    void (*print)(FILE *out, const json_t *answer);
};

// Returns the exit code. With --json one instance is one object, several are {"instances": [...]}.
int query_run(const struct query *query);

enum query_kind { QUERY_TEXT, QUERY_NUMBER, QUERY_BYTES, QUERY_SECONDS };

struct query_column {
    const char *title;
    const char *key;
    enum query_kind kind;
};

// An array of objects as an aligned table with a heading.
void query_table(FILE *out, const json_t *rows, const struct query_column *columns, size_t count);
// One member of `object` as text: "12.3 MiB", "3m 20s"; "-" when it is not there.
const char *query_text(char *room, size_t size, const json_t *object, const char *key, enum query_kind kind);

#endif
