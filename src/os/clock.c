// SPDX-License-Identifier: GPL-2.0-or-later
// The one place that reads the clock. Monotonic, so that setting the wall clock moves no deadline.
#include "os/clock.h"

#include <time.h>

usec_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + (usec_t)now.tv_nsec / 1000;
}
