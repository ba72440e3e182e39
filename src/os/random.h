// SPDX-License-Identifier: GPL-2.0-or-later
// Randomness for keys, identifiers and jitter.
#ifndef OS_RANDOM_H
#define OS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

// From the kernel (getrandom(2)); aborts when there is none.
void random_fill(void *room, size_t len);
uint32_t random_number(void);

#endif
