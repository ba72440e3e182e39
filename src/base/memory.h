// SPDX-License-Identifier: GPL-2.0-or-later
// Memory that is there or the process is not: callers never see NULL. Sizes that a peer chooses are bounded before.
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

void *memory_new(size_t size);               // zeroed
void *memory_resize(void *old, size_t size); // keeps the contents; new bytes are undefined
char *memory_text(const char *text);         // a copy

#endif
