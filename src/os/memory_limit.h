// SPDX-License-Identifier: GPL-2.0-or-later
// How much memory this process may come to use: the machine's, or what its control groups have.
#ifndef OS_MEMORY_LIMIT_H
#define OS_MEMORY_LIMIT_H

#include <stdint.h>

// Bytes. `root` stands before /proc and /sys: "", or a tree like them.
uint64_t memory_limit(const char *root);

#endif
