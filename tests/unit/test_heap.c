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

static void test_whole_pages_are_forgotten(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 8 * page;
    static const struct {
        size_t from, size; // beside whole pages
        size_t first, end; // pages that are forgotten
    } cases[] = {{0, 0, 0, 8}, {1, 0, 1, 8}, {0, 1, 0, 7}, {100, 200, 1, 7}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t *pages = heap_pages(size);
        memset(pages, 1, size);
        heap_pages_forget(pages + cases[i].from, size - cases[i].from - cases[i].size);
        for (size_t n = 0; n < size; n++)
            if (pages[n] != (n / page < cases[i].first || n / page >= cases[i].end))
                fail_msg("case %zu: byte %zu is %d", i, n, pages[n]);
        heap_pages_free(pages, size);
    }
    uint8_t little = 1;
    heap_pages_forget(&little, sizeof little); // no page at all
    assert_int_equal(little, 1);
}

enum { DEPTH = 512 * 1024 };

static __attribute__((noinline)) void go_deep(void)
{
    volatile uint8_t room[DEPTH];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 1;
}

static void test_what_the_stack_was_deeper_once_goes_back(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    volatile int here = 7;
    go_deep();
    size_t deep = resident();
    heap_trim(); // a library's: the stack is somebody else's
    assert_true(resident() > deep - DEPTH / 2);
    heap_is_ours();
    deep = resident();
    heap_trim();
    assert_true(resident() < deep - DEPTH * 3 / 4);
    assert_int_equal(here, 7);
    go_deep(); // and may be as deep again
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_below_a_living_block_goes_back),
        cmocka_unit_test(test_whole_pages_are_forgotten),
        cmocka_unit_test(test_what_the_stack_was_deeper_once_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
