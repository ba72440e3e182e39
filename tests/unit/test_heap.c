// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "base/memory.h"
#include "os/heap.h"
#include "os/sanitized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 512, BLOCK_SIZE = 16 * 1024 }; // 8 MiB, of blocks too small for mappings of their own

static size_t resident(void)
{
    unsigned long size, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

// The newest block of a pile lives on at the end of the heap; all below it are freed.
static void test_memory_below_a_living_block_goes_back(void **state)
{
    (void)state;
    if (SANITIZED)
        skip(); // its allocator keeps freed memory to catch who still uses it
    void *blocks[BLOCKS];
    size_t before = resident();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = memory_resize(NULL, BLOCK_SIZE);
        memset(blocks[i], 1, BLOCK_SIZE);
    }
    for (int i = 0; i < BLOCKS - 1; i++)
        free(blocks[i]);
    assert_true(resident() > before + BLOCKS * BLOCK_SIZE / 2);
    heap_trim();
    assert_true(resident() < before + BLOCKS * BLOCK_SIZE / 8);
    assert_int_equal(*(uint8_t *)blocks[BLOCKS - 1], 1);
    free(blocks[BLOCKS - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_below_a_living_block_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
