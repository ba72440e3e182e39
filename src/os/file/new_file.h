// SPDX-License-Identifier: GPL-2.0-or-later
// Files that are there as a whole or not at all, whenever the machine stops.
#ifndef OS_FILE_NEW_FILE_H
#define OS_FILE_NEW_FILE_H

#include "os/file/secret.h"

#include <stdbool.h>
#include <sys/types.h>

// Takes the place of `path`, if there is one, and to root belongs to whom that did; `mode` whatever the umask.
bool new_file_write(const char *path, mode_t mode, const struct blob *contents, struct fault *fault);
// What has been done to the directory lasts from here on.
bool new_file_settle(const char *directory, struct fault *fault);

#endif
