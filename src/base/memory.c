// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *require(void *memory, size_t size)
{
    if (!memory) {
        fprintf(stderr, "out of memory: %zu bytes wanted\n", size);
        abort();
    }
    return memory;
}

void *memory_new(size_t size)
{
    return require(calloc(1, size), size);
}

void *memory_resize(void *old, size_t size)
{
    return require(realloc(old, size), size);
}

char *memory_text(const char *text)
{
    return require(strdup(text), strlen(text) + 1);
}
