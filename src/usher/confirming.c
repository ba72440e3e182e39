// SPDX-License-Identifier: GPL-2.0-or-later
// Until both have agreed records are counted and nothing else happens.
#include "usher/confirming.h"

void confirming_init(struct confirming *confirming)
{
    *confirming = (struct confirming){.since = USEC_NEVER};
}

static uint64_t owed(const struct confirming *confirming)
{
    return confirming->taken - confirming->said;
}

void confirming_agree(struct confirming *confirming, usec_t now)
{
    confirming->agreed = true;
    confirming->since = now;
    confirming->heard = confirming->taken > confirming->quiet ? confirming->taken - confirming->quiet : 0;
}

void confirming_received(struct confirming *confirming, uint64_t taken, uint32_t bytes, usec_t now)
{
    confirming->taken = taken;
    if (!confirming->agreed)
        return;
    uint64_t calling = taken - confirming->quiet;
    if (calling > confirming->heard && confirming->since == USEC_NEVER)
        confirming->since = now;
    confirming->heard = calling;
    confirming->bytes += bytes < CONFIRMING_BYTES ? bytes : CONFIRMING_BYTES;
    confirming_check(confirming, now);
}

static usec_t due_at(const struct confirming *confirming)
{
    if (confirming->since == USEC_NEVER || owed(confirming) == 0)
        return USEC_NEVER;
    return confirming->since + (confirming->bytes >= CONFIRMING_BYTES ? CONFIRMING_LEAST : CONFIRMING_WAIT);
}

void confirming_check(struct confirming *confirming, usec_t now)
{
    confirming->due |= now >= due_at(confirming);
}

usec_t confirming_deadline(const struct confirming *confirming)
{
    // One that waits already needs no second deadline: the link is blocked, and ticking would not help.
    return confirming->due ? USEC_NEVER : due_at(confirming);
}

bool confirming_goes_along(const struct confirming *confirming, usec_t now)
{
    if (confirming->since == USEC_NEVER)
        return false;
    return confirming->bytes >= CONFIRMING_BYTES / 2 || now >= confirming->since + CONFIRMING_WAIT / 2;
}

uint16_t confirming_size(const struct confirming *confirming)
{
    if (!confirming->agreed)
        return 0;
    return owed(confirming) < UINT16_MAX ? (uint16_t)owed(confirming) : UINT16_MAX;
}

void confirming_sent(struct confirming *confirming, uint16_t size)
{
    confirming->said += size;
    if (owed(confirming) > 0)
        return;
    confirming->due = false;
    confirming->bytes = 0;
    confirming->since = USEC_NEVER;
}
