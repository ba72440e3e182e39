// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

void heap_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void *heap_pages(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED)
        return pages;
    fprintf(stderr, "out of memory: %zu bytes wanted\n", size);
    abort();
}

void heap_pages_free(void *pages, size_t size)
{
    munmap(pages, size);
}
