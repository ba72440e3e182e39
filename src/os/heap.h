// SPDX-License-Identifier: GPL-2.0-or-later
// What the process holds of the machine's memory without using it.
#ifndef OS_HEAP_H
#define OS_HEAP_H

// Gives the pages of freed memory back to the kernel (malloc_trim(3)). free(3) does so at the end of the heap alone: one
// small block that lives on up there keeps everything below it resident, for good. It takes about a millisecond for 20 MiB
// and whatever comes next has to fault its pages in again, so it is for a process that has nothing to do. Allocators
// without such a call give back by themselves.
void heap_trim(void);

#endif
