// SPDX-License-Identifier: GPL-2.0-or-later
// Keys, identifiers and jitter come from the kernel alone. A system without randomness must not carry traffic, so
// there is no fallback.
#include "os/random.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

void random_fill(void *room, size_t len)
{
    uint8_t *at = room;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        len -= (size_t)got;
    }
}

uint32_t random_number(void)
{
    uint32_t number;
    random_fill(&number, sizeof number);
    return number;
}
