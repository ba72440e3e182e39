// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/told.h"

#include <jansson.h>
#include <stdio.h>

// `struct told` is jansson's own structure, which nobody else needs to know.
static const json_t *json(const struct told *answer)
{
    return (const json_t *)answer;
}

static const struct told *container(const json_t *value)
{
    return json_is_object(value) || json_is_array(value) ? (const struct told *)value : NULL;
}

const struct told *told_parse(const char *text, size_t len)
{
    json_t *value = json_loadb(text, len, 0, NULL);
    if (json_is_object(value))
        return (const struct told *)value;
    json_decref(value);
    return NULL;
}

void told_free(const struct told *answer)
{
    json_decref((json_t *)answer);
}

const struct told *told_part(const struct told *object, const char *key)
{
    return container(json_object_get(json(object), key));
}

size_t told_count(const struct told *array)
{
    return json_array_size(json(array));
}

const struct told *told_item(const struct told *array, size_t index)
{
    return container(json_array_get(json(array), index));
}

const char *told_text(const struct told *object, const char *key)
{
    return json_string_value(json_object_get(json(object), key));
}

const char *told_item_text(const struct told *array, size_t index)
{
    const char *text = json_string_value(json_array_get(json(array), index));
    return text ? text : "";
}

double told_number(const struct told *object, const char *key)
{
    const json_t *value = json_object_get(json(object), key);
    if (json_is_boolean(value))
        return json_is_true(value);
    return json_is_number(value) ? json_number_value(value) : -1;
}

static const char *scalar(char *room, size_t size, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    if (!json_is_number(value))
        return NULL;
    snprintf(room, size, "%.0f", json_number_value(value));
    return room;
}

void told_each(const struct told *object, void (*visit)(void *arg, const char *key, const char *value), void *arg)
{
    char room[340]; // a double, whole
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json(object), key, value)
    {
        const char *text = scalar(room, sizeof room, value);
        if (text)
            visit(arg, key, text);
    }
}
