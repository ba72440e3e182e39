// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/heap.h"

#include "os/sanitized.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

enum {
    APART = 32 * 1024, // bytes; records and chunks are smaller, what a connection gathers in larger
    TRIM_THRESHOLD =
        1024 * 1024, // bytes at the end of the heap: fewer are kept, so that bulk does not move it all the time
    STACK_DEPTH = 1024 * 1024, // bytes that are looked at; no call of ours goes deeper
};

static bool is_ours;

void heap_is_ours(void)
{
    is_ours = true;
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, APART);
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
#endif
}

// Below the page that follows this one there is nothing that anybody returns to. Far below there is nothing at all: the kernel
// keeps other mappings away from the first stack by far more.
static void trim_stack(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t end = ((uintptr_t)__builtin_frame_address(0) & ~(page - 1)) - page;
    madvise((void *)(end - STACK_DEPTH), STACK_DEPTH, MADV_DONTNEED); // ENOMEM: some of it was never there
}

void heap_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    if (is_ours && !SANITIZED)
        trim_stack();
}

void heap_pages_forget(void *from, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)from + page - 1) & ~(page - 1), end = ((uintptr_t)from + size) & ~(page - 1);
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
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
