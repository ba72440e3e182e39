// SPDX-License-Identifier: GPL-2.0-or-later
// An instance that does not answer is told apart by its lock: dead ones are "down", live ones that are silent a fault.

#include "cli/query.h"

#include "cli/command.h"
#include "cli/control.h"
#include "cli/pages.h"
#include "cli/runtime.h"
#include "config/instance.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct round {
    char root[RUNTIME_ROOT_SIZE];
    const struct query *query;
    json_t *answers;
    bool refused; // by the one that was asked for
};

static void ask(void *arg, const char *name)
{
    struct round *round = arg;
    char path[RUNTIME_PATH_SIZE];
    const struct query *query = round->query;
    const struct pages pages = {query->line, query->pages, query->by, query->of};
    struct fault fault;
    if (runtime_pid(round->root, name) == 0)
        return;
    runtime_path(path, round->root, name, "control");
    json_t *answer = pages_ask(path, &pages, &fault);
    if (!answer) {
        fprintf(stderr, "%s: %s\n", round->query->program, fault.text);
        return;
    }
    const char *role = json_string_value(json_object_get(answer, "role"));
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (role && !strcmp(role, round->query->role)) {
        json_array_append(round->answers, answer);
    } else if (error && round->query->name) {
        fprintf(stderr, "%s: %s\n", round->query->program, error);
        round->refused = true;
    }
    json_decref(answer);
}

static void print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
}

static bool is_in_vain(const struct query *query, const json_t *answers)
{
    size_t index;
    const json_t *answer;
    bool in_vain = true, refused = false;
    if (!query->done)
        return false;
    json_array_foreach(answers, index, answer)
    {
        const json_t *done = json_object_get(answer, query->done);
        refused |= json_is_false(done);
        in_vain &= !json_is_true(done) && !json_integer_value(done);
    }
    return in_vain || refused;
}

static int show(const struct query *query, json_t *answers)
{
    size_t count = json_array_size(answers);
    if (query->json && count == 1) {
        print_json(json_array_get(answers, 0));
    } else if (query->json) {
        json_t *all = json_pack("{s:O}", "instances", answers);
        print_json(all);
        json_decref(all);
    } else {
        for (size_t i = 0; i < count; i++) {
            if (i)
                putchar('\n');
            query->print(stdout, json_array_get(answers, i));
        }
    }
    if (!is_in_vain(query, answers))
        return EXIT_DONE;
    fprintf(stderr, "%s: %s\n", query->program, query->nothing);
    return query->failure;
}

// Nobody answered: a named one is "down", and that is what a program that asked by --json gets to read as well.
static int show_none(const struct query *query)
{
    if (query->name && query->json) {
        json_t *down = json_pack("{s:s, s:s, s:s}", "name", query->name, "role", query->role, "state", "down");
        print_json(down);
        json_decref(down);
    }
    const char *hint = geteuid() ? " as far as you may see: try sudo" : ""; // the sockets are root's
    if (query->name)
        fprintf(stderr, "%s: %s is not running%s\n", query->program, query->name, hint);
    else
        fprintf(stderr, "%s: no %s is running%s\n", query->program, query->role, hint);
    return EXIT_FAILED;
}

int query_run(const struct query *query)
{
    struct round round = {.query = query};
    struct fault fault;
    if (!runtime_root(round.root, &fault)) {
        fprintf(stderr, "%s: %s\n", query->program, fault.text);
        return EXIT_FAILED;
    }
    round.answers = json_array();
    if (query->name)
        ask(&round, query->name);
    else
        runtime_each(round.root, ask, &round);
    int code = json_array_size(round.answers) ? show(query, round.answers)
               : round.refused                ? EXIT_FAILED
                                              : show_none(query);
    json_decref(round.answers);
    return code;
}

int query_run_typed(const struct query *query, const struct command_line *line)
{
    char name[INSTANCE_NAME_MAX + 1];
    struct query typed = *query;
    struct fault fault;
    if (line->argument && !instance_name(name, line->argument, &fault)) {
        fprintf(stderr, "%s: %s\n", query->program, fault.text);
        return EXIT_WRONG;
    }
    typed.name = line->argument ? name : NULL;
    typed.json = line->json;
    return query_run(&typed);
}

static const char *bytes_text(char *room, size_t size, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit < sizeof units / sizeof units[0] - 1; unit++)
        bytes /= 1024;
    snprintf(room, size, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return room;
}

static const char *seconds_text(char *room, size_t size, long long s)
{
    if (s < 60)
        snprintf(room, size, "%llds", s);
    else if (s < 3600)
        snprintf(room, size, "%lldm %llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(room, size, "%lldh %lldm", s / 3600, s / 60 % 60);
    else
        snprintf(room, size, "%lldd %lldh", s / 86400, s / 3600 % 24);
    return room;
}

const char *query_text(char *room, size_t size, const json_t *object, const char *key, enum query_kind kind)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value) && *json_string_value(value))
        snprintf(room, size, "%s", json_string_value(value));
    else if (json_is_boolean(value))
        snprintf(room, size, "%s", json_is_true(value) ? "yes" : "no");
    else if (!json_is_number(value))
        snprintf(room, size, "-");
    else if (kind == QUERY_BYTES)
        bytes_text(room, size, json_number_value(value));
    else if (kind == QUERY_SECONDS)
        seconds_text(room, size, (long long)json_number_value(value));
    else if (kind == QUERY_MILLISECONDS)
        snprintf(room, size, "%.2f ms", json_number_value(value) / 1000);
    else
        snprintf(room, size, "%.0f", json_number_value(value));
    return room;
}

const json_t *query_part(const json_t *object, const char *key)
{
    const json_t *part = json_object_get(object, key);
    return json_is_object(part) || json_is_array(part) ? part : NULL;
}

size_t query_count(const json_t *array)
{
    return json_array_size(array);
}

void query_lines(FILE *out, const char *prefix, const json_t *texts)
{
    size_t index;
    json_t *text;
    json_array_foreach(texts, index, text) fprintf(out, "%s%s\n", prefix, json_string_value(text));
}

enum { CELL_SIZE = 280, COLUMNS_MAX = 16 };

// Numbers to the right; nothing behind the last text of a line.
static void put_cell(FILE *out, const char *cell, enum query_kind kind, int width, bool last)
{
    if (kind != QUERY_TEXT)
        fprintf(out, "%*s", width, cell);
    else
        fprintf(out, "%-*s", last ? 0 : width, cell);
    fputs(last ? "\n" : "  ", out);
}

static bool is_shown(const json_t *rows, const struct query_column *column)
{
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        if (json_object_get(row, column->key))
            return true;
    }
    return !column->optional;
}

// 0: it is not shown.
static int width_of(const json_t *rows, const struct query_column *column)
{
    char cell[CELL_SIZE];
    int width = (int)strlen(column->title);
    size_t index;
    json_t *row;
    if (!is_shown(rows, column))
        return 0;
    json_array_foreach(rows, index, row)
    {
        int len = (int)strlen(query_text(cell, sizeof cell, row, column->key, column->kind));
        width = len > width ? len : width;
    }
    return width;
}

void query_table(FILE *out, const json_t *rows, const struct query_column *columns, size_t count)
{
    int widths[COLUMNS_MAX];
    char cell[CELL_SIZE];
    size_t index;
    json_t *row;
    for (size_t c = 0; c < count; c++)
        widths[c] = width_of(rows, &columns[c]);
    for (size_t c = 0; c < count; c++)
        if (widths[c])
            put_cell(out, columns[c].title, columns[c].kind, widths[c], c + 1 == count);
    json_array_foreach(rows, index, row)
    {
        for (size_t c = 0; c < count; c++)
            if (widths[c])
                put_cell(out, query_text(cell, sizeof cell, row, columns[c].key, columns[c].kind), columns[c].kind,
                         widths[c], c + 1 == count);
    }
}
