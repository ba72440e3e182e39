// SPDX-License-Identifier: GPL-2.0-or-later
// What of a configuration's text is another than before, key by key.
#ifndef CONFIG_CHANGES_H
#define CONFIG_CHANGES_H

#include "os/secret.h"

#include <stdbool.h>

// Whether `key` says something else in one text than in the other, of whomever its sections are: values as they are
// written, in their order.
bool config_key_changed(const struct blob *before, const struct blob *now, const char *section, const char *key);

#endif
