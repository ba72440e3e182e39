// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams that have not arrived, told one by one as ICMP does: an association with many far ends cannot end over one of
// them. Like ICMP it is bounded in rate, and nobody may rely on it.
#include "base/memory.h"
#include "edge/control/internal.h"
#include "os/clock.h"

void control_telling_init(struct control_talk *talk)
{
    talk->telling.first = talk->telling.count = 0;
    bucket_init(&talk->telling.bucket, TELL_PER_SECOND, TELL_BURST, talk->control->now);
}

bool control_tell(struct control_talk *talk, uint16_t session, const struct usher_unreachable *what)
{
    struct telling *telling = &talk->telling;
    if (!talk->can_unreachable)
        return false;
    if (telling->count == TOLD_MAX || !bucket_take(&telling->bucket, clock_now())) {
        talk->control->counters.unreachable_untold++;
        return true;
    }
    talk->control->counters.unreachable_told++;
    if (!telling->ring)
        telling->ring = memory_new(TOLD_MAX * sizeof *telling->ring);
    telling->ring[(telling->first + telling->count++) % TOLD_MAX] =
        (struct control_unreachable){.session = session, .what = *what};
    control_talk_ready(talk);
    return true;
}

bool control_telling_write(struct control_talk *talk, struct writer *w)
{
    struct telling *telling = &talk->telling;
    if (telling->count == 0)
        return false;
    control_unreachable_encode(w, &telling->ring[telling->first]);
    telling->first = (telling->first + 1) % TOLD_MAX;
    telling->count--;
    return true;
}

bool control_take_unreachable(struct control_talk *talk, const struct control_message *message)
{
    struct control_unreachable unreachable;
    if (!control_unreachable_decode(&unreachable, message))
        return false;
    talk->control->counters.unreachable_heard++;
    usher_session_heard(talk->opening.session, unreachable.session, &unreachable.what);
    return true;
}
