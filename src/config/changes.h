// SPDX-License-Identifier: GPL-2.0-or-later
// What of a configuration's text is another than before, key by key.
#ifndef CONFIG_CHANGES_H
#define CONFIG_CHANGES_H

#include "os/file/secret.h"

#include <stdbool.h>
#include <stdio.h>

// Whether `key` says something else in one text than in the other, of whomever its sections are: values as they are
// written, in their order.
bool config_key_changed(const struct blob *before, const struct blob *now, const char *section, const char *key);

// A key of which another value is not in force at once, and when it will be.
struct change_delay {
    const char *section, *key, *when;
};

// What the program began with, NULL where that does not matter; what was read last, and what has been now.
struct change_texts {
    const struct blob *began, *before, *now;
};

// A sentence on each key of the table that says something new, and another thing than in the beginning.
void changes_tell(const struct change_texts *texts, const struct change_delay *table, size_t count, FILE *report);

#endif
