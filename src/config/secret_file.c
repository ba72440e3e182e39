// SPDX-License-Identifier: GPL-2.0-or-later

#include "config/secret_file.h"

enum { SECRET_MAX = 4 * 1024 * 1024 }; // bytes, far above any honest one

bool secret_file_read(struct blob *out, struct config *config, const char *section, const char *key, const char *path)
{
    struct fault fault;
    if (blob_read_private(out, path, SECRET_MAX, &fault))
        return true;
    config_mistake(config, section, key, "%s: %s", key, fault.text);
    return false;
}
