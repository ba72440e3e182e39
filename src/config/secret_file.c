// SPDX-License-Identifier: GPL-2.0-or-later

#include "config/secret_file.h"

#include "base/memory.h"

#include <string.h>

bool secret_file_read(struct blob *out, struct config *config, const char *section, const char *key, const char *path)
{
    struct fault fault;
    if (config_file(config, out, &(struct file_wish){.path = path, .max = SECRET_FILE_MAX, .is_secret = true}, &fault))
        return true;
    config_mistake(config, section, key, "%s: %s", key, fault.text);
    return false;
}

char *secret_file_line(struct config *config, const char *section, const char *key, const char *path, size_t max)
{
    struct blob text;
    if (!secret_file_read(&text, config, section, key, path))
        return NULL;
    char *line = NULL;
    size_t len = strcspn((const char *)text.bytes, "\r\n");
    if (len > 0 && len <= max) {
        line = memory_new(len + 1);
        memcpy(line, text.bytes, len);
    } else {
        config_mistake(config, section, key, "%s: %s: its first line has not 1 to %zu bytes", key, path, max);
    }
    blob_wipe(&text);
    return line;
}
