// SPDX-License-Identifier: GPL-2.0-or-later
// A text file that everybody may read, and one process holds: a write lock on it says that its owner is alive. No user who may
// only read the file can feign that, and no number of a process could be somebody else's by now. A child inherits the lock; it
// is gone when the last that has it closes it.
#ifndef OS_FILE_HELD_FILE_H
#define OS_FILE_HELD_FILE_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

// A new one, whatever the umask is. Returns its descriptor, or -1.
int held_file_create(const char *path, const void *text, size_t len, struct fault *fault);
// The same where one is. `path` may be no link: what that leads to is not ours to write.
int held_file_overwrite(const char *path, const void *text, size_t len, struct fault *fault);
// Anew, on disk when it returns true.
bool held_file_rewrite(int fd, const void *text, size_t len);

bool held_file_lock(int fd);
bool held_file_is_held(const char *path);
// Also two seconds later: an owner who is about to let go takes some milliseconds.
bool held_file_is_held_for_long(const char *path);

#endif
