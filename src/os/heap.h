// SPDX-License-Identifier: GPL-2.0-or-later
// What the process holds of the machine's memory without using it.
#ifndef OS_HEAP_H
#define OS_HEAP_H

#include <stddef.h>

// For a program of ours that runs on its first stack, and not for a library in one of others': what is larger than a chunk has pages
// of its own from here on, which go back when it is freed, and heap_trim gives back what the stack was deeper once, too.
void heap_is_ours(void);

// Gives the pages of freed memory back to the kernel (malloc_trim(3)). free(3) does so at the end of the heap alone: one
// small block that lives on up there keeps everything below it resident, for good. It takes about a millisecond for 20 MiB
// and whatever comes next has to fault its pages in again, so it is for a process that has nothing to do. Allocators
// without such a call give back by themselves.
void heap_trim(void);

// Zeroed pages that cost nothing until they are touched: for what is large and seldom used. Ends the process when there are
// none, as memory_new does.
void *heap_pages(size_t size);
// The whole pages within: zeroes from here on, which cost nothing until they are touched.
void heap_pages_forget(void *from, size_t size);
void heap_pages_free(void *pages, size_t size); // of the same size

#endif
