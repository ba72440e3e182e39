// SPDX-License-Identifier: GPL-2.0-or-later
// Token bucket: `rate` tokens a second up to `burst`. Time is an argument.
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint32_t rate;  // tokens per second
    uint32_t burst; // most tokens it holds
    uint64_t level; // tokens times USEC_PER_SEC
    usec_t at;      // when `level` was true
};

// Starts full.
void bucket_init(struct bucket *bucket, uint32_t rate, uint32_t burst, usec_t now);
// Takes one token; false when there is none.
bool bucket_take(struct bucket *bucket, usec_t now);

#endif
