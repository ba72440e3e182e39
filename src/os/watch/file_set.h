// SPDX-License-Identifier: GPL-2.0-or-later
// Files that were read together, by somebody who has the right to: of each what it holds, or why that cannot be had. In a
// sealed memory file they go to somebody who has it not.
#ifndef OS_WATCH_FILE_SET_H
#define OS_WATCH_FILE_SET_H

#include "os/file/secret.h"

// A file to be read.
struct file_wish {
    const char *path; // absolute
    size_t max;       // bytes that it may have
    bool is_secret;   // private to its owner, or not read at all
};

struct file_read {
    char *path;
    bool is_there; // else `fault` says why not
    struct blob bytes;
    struct fault fault;
};

struct file_set {
    struct file_read *files;
    size_t count;
};

void file_set_read(struct file_set *out, const struct file_wish *wishes, size_t count);
// Wipes everything.
void file_set_fini(struct file_set *set);
// A copy of what the file holds, which was read by the same path. False with a fault when it could not be read, or was
// none of them.
bool file_set_take(const struct file_set *set, const char *path, struct blob *out, struct fault *fault);

// A descriptor (close-on-exec), or -1.
int file_set_write(const struct file_set *set, struct fault *fault);
// What was written to it, of `size` bytes; false when it is not whole.
bool file_set_from(struct file_set *out, int fd, size_t size);

#endif
