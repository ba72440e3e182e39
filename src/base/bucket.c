// SPDX-License-Identifier: GPL-2.0-or-later
// The level is kept in tokens times a million, so that no fraction of a token is lost between two looks.
#include "base/bucket.h"

static uint64_t full(const struct bucket *bucket)
{
    return bucket->burst * USEC_PER_SEC;
}

void bucket_init(struct bucket *bucket, uint32_t rate, uint32_t burst, usec_t now)
{
    *bucket = (struct bucket){.rate = rate, .burst = burst, .at = now};
    bucket->level = full(bucket);
}

// Levels are tokens times a million, so one microsecond adds `rate`. Past the time in which any bucket is full, the
// product is not taken: burst (2^32) times 10^6 stays below 2^52, rate times elapsed need not.
static void refill(struct bucket *bucket, usec_t now)
{
    usec_t elapsed = now > bucket->at ? now - bucket->at : 0;
    uint64_t missing = full(bucket) - bucket->level;
    bucket->at = now;
    if (bucket->rate == 0)
        return;
    if (elapsed > missing / bucket->rate)
        bucket->level = full(bucket);
    else
        bucket->level += elapsed * bucket->rate;
}

bool bucket_take(struct bucket *bucket, usec_t now)
{
    refill(bucket, now);
    if (bucket->level < USEC_PER_SEC)
        return false;
    bucket->level -= USEC_PER_SEC;
    return true;
}
