// SPDX-License-Identifier: GPL-2.0-or-later
// One who asks, from the first byte to the last. See doc/DESIGN.md, "Enrolling".
#ifndef PKI_SERVE_H
#define PKI_SERVE_H

struct serve_config {
    const char *script; // usher-pki, which alone writes the books
    const char *dir;    // of the authority
    const char *life;   // seconds, of what is issued
};

// In a process of its own, which ends after. `fd` stays the caller's.
void serve_one(const struct serve_config *config, int fd);

#endif
