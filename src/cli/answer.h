// SPDX-License-Identifier: GPL-2.0-or-later
// What a running instance says, for commands that look into it themselves. What has no such member, or another kind of
// one, has nothing there: no answer is taken on trust.
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

// Of the instance with that control socket, which may take so many seconds; NULL with a fault. The caller's.
struct json_t *answer_ask(const char *path, const char *line, unsigned seconds, struct fault *fault);
// The same of text that is here already; NULL when it is no object.
struct json_t *answer_read(const char *text);
void answer_free(struct json_t *answer);

// Item `i` of an array (cli/query.h has their count); NULL when there is none.
const struct json_t *answer_item(const struct json_t *array, size_t i);
// A text within the array or object; "" when there is none.
const char *answer_text(const struct json_t *object, const char *key);
const char *answer_item_text(const struct json_t *array, size_t i);
uint64_t answer_number(const struct json_t *object, const char *key);
bool answer_has(const struct json_t *object, const char *key);

#endif
