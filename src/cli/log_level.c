// SPDX-License-Identifier: GPL-2.0-or-later

#include "cli/log_level.h"

#include <strings.h>

bool value_log_level(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    static const char *const names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
    };
    (void)key;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcasecmp(names[i], entry->value)) {
            *(enum log_level *)field = (enum log_level)i;
            return true;
        }
    return fault_set(fault, "is none of error, warning, info, debug");
}
