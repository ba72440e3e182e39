// SPDX-License-Identifier: GPL-2.0-or-later
// Two times and one flag.
#include "usher/heartbeat.h"

void heartbeat_init(struct heartbeat *heartbeat, bool agreed, usec_t now)
{
    *heartbeat = (struct heartbeat){.agreed = agreed, .sent_at = now, .received_at = now};
}

void heartbeat_sent(struct heartbeat *heartbeat, usec_t now)
{
    heartbeat->sent_at = now;
    heartbeat->due = false;
}

void heartbeat_received(struct heartbeat *heartbeat, usec_t now)
{
    heartbeat->received_at = now;
}

usec_t heartbeat_deadline(const struct heartbeat *heartbeat)
{
    if (!heartbeat->agreed)
        return USEC_NEVER;
    usec_t silence = heartbeat->received_at + HEARTBEAT_SILENCE;
    usec_t beat = heartbeat->sent_at + HEARTBEAT_INTERVAL;
    // A beat that waits already needs no second deadline: the link is blocked, and ticking would not help.
    return heartbeat->due || silence < beat ? silence : beat;
}

bool heartbeat_check(struct heartbeat *heartbeat, usec_t now)
{
    if (!heartbeat->agreed)
        return true;
    if (now >= heartbeat->sent_at + HEARTBEAT_INTERVAL)
        heartbeat->due = true;
    return now < heartbeat->received_at + HEARTBEAT_SILENCE;
}
