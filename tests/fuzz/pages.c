// SPDX-License-Identifier: GPL-2.0-or-later
// In the fast fuzzers a buffer for datagrams keeps its pages, where the kernel would map, clear and unmap them for each
// execution. What is read of it before it was written lies in its first page (linked with --wrap: Makefile).
#include "os/heap.h"

#include <string.h>

void *__real_heap_pages(size_t size);
void __real_heap_pages_free(void *pages, size_t size);
void *__wrap_heap_pages(size_t size);
void __wrap_heap_pages_free(void *pages, size_t size);

enum { PAGE = 4096 };

static struct {
    void *pages; // NULL: none
    size_t size;
} spare;

void *__wrap_heap_pages(size_t size)
{
    if (!spare.pages || spare.size != size)
        return __real_heap_pages(size);
    void *pages = spare.pages;
    spare.pages = NULL;
    return memset(pages, 0, size < PAGE ? size : PAGE);
}

void __wrap_heap_pages_free(void *pages, size_t size)
{
    if (spare.pages) {
        __real_heap_pages_free(pages, size);
        return;
    }
    spare.pages = pages;
    spare.size = size;
}
