// SPDX-License-Identifier: GPL-2.0-or-later
// Some texts in one file that any tar takes apart: POSIX ustar in gzip, not compressed, as it is small.
#ifndef CLI_BUNDLE_ARCHIVE_H
#define CLI_BUNDLE_ARCHIVE_H

#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

struct archive {
    uint8_t *bytes;
    size_t len, size;
    uint64_t time; // of all in it, Unix seconds
};

// `name` has its directory in front, and fewer than 100 bytes.
void archive_add(struct archive *archive, const char *name, const char *text, size_t len);
// Makes the file, which must not be there, for its owner alone; frees what the archive holds.
bool archive_write(struct archive *archive, const char *path, struct fault *fault);

#endif
