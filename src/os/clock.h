// SPDX-License-Identifier: GPL-2.0-or-later
// The one clock: everything that measures or waits takes its time from here, at most once a wake-up.
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include "base/clock.h"

usec_t clock_now(void); // CLOCK_MONOTONIC

#endif
