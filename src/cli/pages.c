// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/pages.h"

#include "base/memory.h"
#include "cli/control.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 200000, LINE_SIZE = 512 };

static json_t *ask(const char *path, const struct pages *pages, const char *after, struct fault *fault)
{
    char line[LINE_SIZE];
    snprintf(line, sizeof line, "%s%s%s%s%s", pages->line, after ? " after " : "", after ? after : "",
             pages->of ? " of " : "", pages->of ? pages->of : "");
    char *text = control_ask(path, line, fault);
    json_t *answer = text ? json_loads(text, 0, NULL) : NULL;
    if (text && !answer)
        fault_set(fault, "%s: no answer", path);
    free(text);
    return answer;
}

struct row {
    json_t *object;
    const char *by;
    json_int_t age;
};

static int compare(const void *a, const void *b)
{
    const struct row *one = a, *other = b;
    int by = strcmp(one->by, other->by);
    return by ? by : (one->age < other->age) - (one->age > other->age);
}

static json_t *sorted(const json_t *list, const char *by)
{
    size_t count = json_array_size(list), index;
    struct row *rows = memory_new((count + 1) * sizeof *rows);
    json_t *object, *out = json_array();
    json_array_foreach(list, index, object)
    {
        const char *text = json_string_value(json_object_get(object, by));
        rows[index] = (struct row){object, text ? text : "", json_integer_value(json_object_get(object, "age_s"))};
    }
    qsort(rows, count, sizeof *rows, compare);
    for (size_t i = 0; i < count; i++)
        json_array_append(out, rows[i].object);
    free(rows);
    return out;
}

// What else it has, too: the workers that were silent.
static void join(json_t *whole, json_t *page, const char *list)
{
    json_t *silent = json_object_get(page, "silent");
    json_array_extend(json_object_get(whole, list), json_object_get(page, list));
    if (json_is_integer(silent))
        json_object_set_new(
            whole, "silent",
            json_integer(json_integer_value(silent) + json_integer_value(json_object_get(whole, "silent"))));
    json_object_del(whole, "next");
    if (json_object_get(page, "next"))
        json_object_set(whole, "next", json_object_get(page, "next"));
}

static const char *next_of(const json_t *answer)
{
    return json_string_value(json_object_get(answer, "next"));
}

// An answer in which "next" has stayed is not whole: there are more than anybody reads, or the instance has ended meanwhile.
static void turn_pages(const char *path, const struct pages *pages, json_t *whole)
{
    struct fault fault;
    while (next_of(whole) && json_array_size(json_object_get(whole, pages->list)) < ROWS_MAX) {
        json_t *page = ask(path, pages, next_of(whole), &fault);
        bool ok = json_array_size(json_object_get(page, pages->list)) || (page && !json_object_get(page, "error"));
        if (ok)
            join(whole, page, pages->list);
        json_decref(page);
        if (!ok)
            break;
    }
    json_object_set_new(whole, pages->list, sorted(json_object_get(whole, pages->list), pages->by));
}

json_t *pages_ask(const char *path, const struct pages *pages, struct fault *fault)
{
    json_t *answer = ask(path, pages, NULL, fault);
    if (pages->list && json_is_array(json_object_get(answer, pages->list)))
        turn_pages(path, pages, answer);
    return answer;
}
