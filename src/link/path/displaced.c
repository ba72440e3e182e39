// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/path/displaced.h"

enum {
    WAIT_MS = 4 * 1000,
    WAIT_MAX_MS = 60 * 1000,
};

// A tunnel that was up for so long, and for twice the last wait, was not displaced at once.
#define CALM_USEC (60 * USEC_PER_SEC)

void displaced_judge(struct displaced *displaced, bool replaced, usec_t lasted)
{
    bool at_once = replaced && lasted < CALM_USEC + 2 * (usec_t)displaced->wait_ms * USEC_PER_MSEC;
    displaced->is = at_once && displaced->was;
    displaced->was = replaced;
    if (!at_once)
        displaced->wait_ms = 0;
    if (!displaced->is)
        return;
    displaced->wait_ms = displaced->wait_ms ? displaced->wait_ms * 2 : WAIT_MS;
    if (displaced->wait_ms > WAIT_MAX_MS)
        displaced->wait_ms = WAIT_MAX_MS;
}

uint32_t displaced_wait(const struct displaced *displaced, uint32_t random)
{
    return displaced->wait_ms * 3 / 4 + random % (displaced->wait_ms / 2);
}
