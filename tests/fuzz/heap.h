// SPDX-License-Identifier: GPL-2.0-or-later
// An engine has tables of half a MiB of which it touches a page or two. Left to itself the heap keeps such a block once it was
// free, and calloc clears all of it each time: most of an execution.
#ifndef FUZZ_HEAP_H
#define FUZZ_HEAP_H

#include <malloc.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
    HEAP_LARGE = 256 * 1024, // from here on the kernel's, fresh each time
    HEAP_KEPT = 64 << 20,    // what is smaller stays with us
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    mallopt(M_MMAP_THRESHOLD, HEAP_LARGE); // ASan has a heap of its own, and refuses both
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    return 0;
}

#endif
