// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/path/backoff.h"

void backoff_reset(struct backoff *backoff)
{
    backoff->step = 0;
}

usec_t backoff_next(struct backoff *backoff, uint32_t random)
{
    backoff->step = backoff->step == 0 ? BACKOFF_FIRST_USEC : backoff->step * 2;
    if (backoff->step > BACKOFF_LAST_USEC)
        backoff->step = BACKOFF_LAST_USEC;
    usec_t half = backoff->step / 2;
    return backoff->step - half / 2 + random % (half + 1);
}
