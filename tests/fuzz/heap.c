// SPDX-License-Identifier: GPL-2.0-or-later
// The heap of the fast fuzzers. An engine has a table of half a MiB of which it touches a few entries, and clears these before it
// frees it. What calloc does with such a block is most of an execution: it clears all of it, or has the kernel do so page by page.
// So blocks of that size are kept and given out again as they are (linked with --wrap: Makefile); and the heap keeps the rest.
#include "usher/ids.h"

#include <malloc.h>
#include <stdlib.h>

void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { HEAP_TABLES = 2, HEAP_TABLE_SIZE = IDS_SPACE * sizeof(void *), HEAP_KEPT = 64 << 20 };

static struct {
    void *block;
    bool used;
} heap_tables[HEAP_TABLES];

void *__wrap_calloc(size_t count, size_t size)
{
    for (size_t i = 0; i < HEAP_TABLES && count * size == HEAP_TABLE_SIZE; i++) {
        if (heap_tables[i].used)
            continue;
        heap_tables[i].used = true;
        if (!heap_tables[i].block)
            heap_tables[i].block = __real_calloc(count, size);
        return heap_tables[i].block;
    }
    return __real_calloc(count, size);
}

// One in a thousand is looked through, whether it is as clear as it has to be.
void __wrap_free(void *block)
{
    static unsigned long turn;
    for (size_t i = 0; block && i < HEAP_TABLES; i++) {
        if (heap_tables[i].block != block)
            continue;
        for (size_t at = 0; turn % 1024 == 0 && at < IDS_SPACE; at++)
            if (((void **)block)[at])
                abort();
        turn++;
        heap_tables[i].used = false;
        return;
    }
    __real_free(block);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    return 0;
}
