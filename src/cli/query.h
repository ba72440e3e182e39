// SPDX-License-Identifier: GPL-2.0-or-later
// Asking running instances, and showing what they say: as text for people, as one JSON object for programs.
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct command_line;
struct json_t; // an answer, or a part of one; read by what stands below

struct query {
    const char *program;         // for messages
    const char *role;            // "portal" or "gate"
    const char *line;            // of the control socket
    const char *name;            // NULL: every instance of this role
    const char *pages, *by, *of; // as `list`, `by` and `of` of cli/pages.h
    bool json;
    void (*print)(FILE *out, const struct json_t *answer);
    // Of an order: the member of the answers that says how much was done, or whether, and the sentence when that is nothing
    // at all, or one says no, which is a failure. NULL: a question.
    const char *done, *nothing;
    int failure; // the exit code of that
};

// Returns the exit code. With --json one instance is one object, several are {"instances": [...]}.
int query_run(const struct query *query);
// The same, with `name` and `json` as a command was typed: of the instance that its argument names, by name or file, or of all.
int query_run_typed(const struct query *query, const struct command_line *line);

enum query_kind {
    QUERY_TEXT,
    QUERY_NUMBER,
    QUERY_BYTES,
    QUERY_SECONDS,
    QUERY_MILLISECONDS, // of microseconds
};

struct query_column {
    const char *title;
    const char *key;
    enum query_kind kind;
    bool optional; // left out where no row has it
};

// An object or array within `object`; NULL when it is not there.
const struct json_t *query_part(const struct json_t *object, const char *key);
size_t query_count(const struct json_t *array);
// Each text of an array in a line of its own, behind `prefix`.
void query_lines(FILE *out, const char *prefix, const struct json_t *texts);
// An array of objects as an aligned table with a heading.
void query_table(FILE *out, const struct json_t *rows, const struct query_column *columns, size_t count);
// One member of `object` as text: "12.3 MiB", "3m 20s", "0.31 ms"; "-" when it is not there.
const char *query_text(char *room, size_t size, const struct json_t *object, const char *key, enum query_kind kind);

#endif
