// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/heap.h"

#include <stdlib.h> // for __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

void heap_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
