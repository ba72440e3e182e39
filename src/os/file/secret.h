// SPDX-License-Identifier: GPL-2.0-or-later
// Files read once at start: certificates, and keys that must be private to their owner.
#ifndef OS_FILE_SECRET_H
#define OS_FILE_SECRET_H

#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

struct blob {
    uint8_t *bytes; // NUL behind the last one, not counted
    size_t len;
};

// Reads a whole regular file of at most `max` bytes.
bool blob_read(struct blob *out, const char *path, size_t max, struct fault *fault);
// The same for a key or a password: not a link, owned by root or us (rights_trust), no permission for group or others; the sentence of a
// refusal names the command that mends it.
bool blob_read_private(struct blob *out, const char *path, size_t max, struct fault *fault);
struct blob blob_text(const char *text); // a copy
struct blob blob_copy(const struct blob *blob);
bool blob_equal(const struct blob *a, const struct blob *b);
// Wipes (explicit_bzero) and frees.
void blob_wipe(struct blob *blob);

#endif
