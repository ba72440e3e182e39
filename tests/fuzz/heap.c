// SPDX-License-Identifier: GPL-2.0-or-later
// The heap of the fast fuzzers. An engine has tables of ids, half a MiB in one block, of which it touches a few entries, and clears
// these before it frees it. What calloc does with such a block is most of an execution: it clears all of it, or has the kernel do so
// page by page. So blocks of that size are kept, and given out again when the bits before the entries, which nobody clears, have
// been cleared (linked with --wrap: Makefile); and the heap keeps the rest.
#include "usher/ids.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
    HEAP_TABLES = 2,
    HEAP_BITS_SIZE = 2 * (IDS_SPACE / 8), // usher/ids.c: `bound` and `stacked`
    HEAP_TABLE_SIZE = HEAP_BITS_SIZE + IDS_SPACE * sizeof(void *),
    HEAP_KEPT = 32 << 20, // the most that mallopt takes
};

static struct {
    unsigned char *block;
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
        for (size_t at = HEAP_BITS_SIZE; turn % 1024 == 0 && at < HEAP_TABLE_SIZE; at++)
            if (heap_tables[i].block[at])
                abort();
        turn++;
        memset(block, 0, HEAP_BITS_SIZE);
        heap_tables[i].used = false;
        return;
    }
    __real_free(block);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    if (!mallopt(M_MMAP_THRESHOLD, HEAP_KEPT) || !mallopt(M_TRIM_THRESHOLD, HEAP_KEPT))
        abort();
    return 0;
}
