// SPDX-License-Identifier: GPL-2.0-or-later
// Keys whose value is the path (value_path) of a file with a secret in it.
#ifndef CONFIG_SECRET_FILE_H
#define CONFIG_SECRET_FILE_H

#include "config/config.h"
#include "os/file/secret.h"

enum { SECRET_FILE_MAX = 4 * 1024 * 1024 }; // bytes, far above any honest one

// Reads the file, which must be private to its owner; a mistake is reported at the key's line. Wipe `out` after use.
bool secret_file_read(struct blob *out, struct config *config, const char *section, const char *key, const char *path);
// The same of a file with a password: its first line of 1 to `max` bytes, a text of the caller's to be wiped; NULL when
// there was a mistake.
char *secret_file_line(struct config *config, const char *section, const char *key, const char *path, size_t max);

#endif
