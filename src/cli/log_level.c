// SPDX-License-Identifier: GPL-2.0-or-later

#include "cli/log_level.h"

#include <strings.h>

bool log_level_parse(enum log_level *out, const char *name)
{
    static const char *const names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
    };
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcasecmp(names[i], name)) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}
