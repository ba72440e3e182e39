// SPDX-License-Identifier: GPL-2.0-or-later
// Time as an argument. The pure floors never read a clock: the loop takes CLOCK_MONOTONIC once per turn and hands it
// down as microseconds.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_NEVER    UINT64_MAX

#endif
