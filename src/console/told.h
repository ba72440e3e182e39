// SPDX-License-Identifier: GPL-2.0-or-later
// What a control socket has answered, read in place. Nothing in it is trusted to be there, or to be of a kind: what is not
// reads as nothing.
#ifndef CONSOLE_TOLD_H
#define CONSOLE_TOLD_H

#include <stdbool.h>
#include <stddef.h>

struct told; // an object or an array of it

// An object; NULL when the text is none. To be freed.
const struct told *told_parse(const char *text, size_t len);
void told_free(const struct told *answer);                                // what told_parse gave; NULL is none
const struct told *told_part(const struct told *object, const char *key); // NULL: no object or array
size_t told_count(const struct told *array);
const struct told *told_item(const struct told *array, size_t index);
const char *told_text(const struct told *object, const char *key);  // NULL: no text
const char *told_item_text(const struct told *array, size_t index); // "": no text
double told_number(const struct told *object, const char *key);     // negative: no number; yes is 1, no is 0
// Calls `visit` for each member that is no object or array, with its value as text.
void told_each(const struct told *object, void (*visit)(void *arg, const char *key, const char *value), void *arg);

#endif
