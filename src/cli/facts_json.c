// SPDX-License-Identifier: GPL-2.0-or-later
// The containers that are open are a stack, the innermost last. Each holds a reference, so that one which has no place in
// its parent, since its name is taken there, goes when it is closed.

#include "cli/facts_json.h"

#include "base/text.h"
#include "cli/moment.h"

#include <assert.h>
#include <jansson.h>

enum {
    DEPTH_MAX = 8,
    TEXT_SIZE = 1024, // of a text that is no UTF-8
};

struct containers {
    json_t *open[DEPTH_MAX];
    unsigned depth;
};

static json_t *text_value(const char *text)
{
    char escaped[TEXT_SIZE];
    json_t *value = text ? json_string(text) : json_null();
    return value ? value : json_string(text_escape(escaped, sizeof escaped, text));
}

static json_t *value_of(const struct fact *fact)
{
    char moment[MOMENT_TEXT_SIZE];
    if (fact->kind == FACT_TEXT)
        return text_value(fact->text);
    if (fact->unit == FACT_UNIX_SECONDS)
        return json_string(moment_text(moment, (time_t)fact->value));
    if (fact->unit == FACT_SWITCH)
        return json_boolean(fact->value);
    return json_integer((json_int_t)fact->value);
}

// Takes `value` over.
static void put(json_t *container, const char *name, json_t *value)
{
    if (json_is_array(container))
        json_array_append_new(container, value);
    else if (json_object_get(container, name))
        json_decref(value);
    else
        json_object_set_new(container, name, value);
}

static void take_fact(struct facts *facts, const struct fact *fact)
{
    struct containers *containers = facts->reader;
    json_t *container = containers->open[containers->depth - 1];
    json_t *before = json_object_get(container, fact->name);
    if (fact->kind == FACT_COUNTER && json_is_integer(before))
        json_integer_set(before, (json_int_t)((uint64_t)json_integer_value(before) + fact->value));
    else
        put(container, fact->name, value_of(fact));
}

static void begin(struct facts *facts, enum facts_level level, const char *name)
{
    struct containers *containers = facts->reader;
    assert(containers->depth < DEPTH_MAX);
    json_t *parent = containers->open[containers->depth - 1];
    json_t *before = json_object_get(parent, name);
    json_t *opened = level == FACTS_LIST ? json_array() : json_object();
    if (before && json_typeof(before) == json_typeof(opened)) { // another part goes on with it
        json_decref(opened);
        opened = json_incref(before);
    } else {
        put(parent, name, json_incref(opened));
    }
    containers->open[containers->depth++] = opened;
}

static void end(struct facts *facts)
{
    struct containers *containers = facts->reader;
    assert(containers->depth > 1);
    json_decref(containers->open[--containers->depth]);
}

char *facts_json(facts_describe *describe, const void *part)
{
    static const struct facts_ops ops = {.fact = take_fact, .begin = begin, .end = end};
    struct containers containers = {.open = {json_object()}, .depth = 1};
    struct facts facts = {.ops = &ops, .reader = &containers};
    describe(part, &facts);
    assert(containers.depth == 1);
    char *text = json_dumps(containers.open[0], JSON_COMPACT);
    json_decref(containers.open[0]);
    return text;
}
