// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/answer.h"

#include "cli/control.h"

#include <jansson.h>
#include <stdlib.h>

json_t *answer_read(const char *text)
{
    return json_loads(text, 0, NULL);
}

json_t *answer_ask(const char *path, const char *line, unsigned seconds, struct fault *fault)
{
    char *text = control_ask_long(path, line, seconds, fault);
    json_t *answer = text ? answer_read(text) : NULL;
    if (text && !answer)
        fault_set(fault, "%s: no answer", path);
    free(text);
    return answer;
}

void answer_free(json_t *answer)
{
    json_decref(answer);
}

const json_t *answer_item(const json_t *array, size_t i)
{
    return json_array_get(array, i);
}

static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text ? text : "";
}

const char *answer_text(const json_t *object, const char *key)
{
    return text_of(json_object_get(object, key));
}

const char *answer_item_text(const json_t *array, size_t i)
{
    return text_of(json_array_get(array, i));
}

uint64_t answer_number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

bool answer_has(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}
