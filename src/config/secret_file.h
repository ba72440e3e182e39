// SPDX-License-Identifier: GPL-2.0-or-later
// Keys whose value is the path (value_path) of a file with a secret in it.
#ifndef CONFIG_SECRET_FILE_H
#define CONFIG_SECRET_FILE_H

#include "config/config.h"
#include "os/secret.h"

// Reads the file, which must be private to its owner; a mistake is reported at the key's line. Wipe `out` after use.
bool secret_file_read(struct blob *out, struct config *config, const char *section, const char *key, const char *path);

#endif
