// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/busy_poll.h"

#include <sched.h>

static void learn(struct busy_poll *poll, uint64_t moved, usec_t gap)
{
    if (moved > BUSY_POLL_BULK || gap > BUSY_POLL_ASLEEP_USEC)
        poll->trust = 0;
    else if (poll->trust < BUSY_POLL_TRUST)
        poll->trust++;
}

bool busy_poll_wants(struct busy_poll *poll, uint64_t bytes, usec_t now)
{
    if (bytes != poll->bytes) {
        learn(poll, bytes - poll->bytes, now - poll->since);
        poll->bytes = bytes;
        poll->since = now;
    } else if (now - poll->since > BUSY_POLL_USEC) {
        poll->trust = 0;
    }
    if (poll->trust < BUSY_POLL_TRUST)
        return false;
    sched_yield();
    return true;
}
