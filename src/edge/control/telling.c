// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams that have not arrived, told one by one as ICMP does: an association with many far ends cannot end over one of
// them. Like ICMP it is bounded in rate, and nobody may rely on it.
#include "edge/control/internal.h"
#include "os/clock.h"

void control_telling_init(struct control_session *control)
{
    control->telling.first = control->telling.count = 0;
    bucket_init(&control->telling.bucket, TELL_PER_SECOND, TELL_BURST, control->now);
}

bool control_tell(struct control_session *control, uint16_t session, const struct usher_unreachable *what)
{
    struct telling *telling = &control->telling;
    if (!control->can_unreachable)
        return false;
    if (telling->count == TOLD_MAX || !bucket_take(&telling->bucket, clock_now())) {
        control->counters.unreachable_untold++;
        return true;
    }
    control->counters.unreachable_told++;
    telling->ring[(telling->first + telling->count++) % TOLD_MAX] =
        (struct control_unreachable){.session = session, .what = *what};
    control_ready(control);
    return true;
}

bool control_telling_write(struct control_session *control, struct writer *w)
{
    struct telling *telling = &control->telling;
    if (telling->count == 0)
        return false;
    control_unreachable_encode(w, &telling->ring[telling->first]);
    telling->first = (telling->first + 1) % TOLD_MAX;
    telling->count--;
    return true;
}

bool control_take_unreachable(struct control_session *control, const struct control_message *message)
{
    struct control_unreachable unreachable;
    if (!control_unreachable_decode(&unreachable, message))
        return false;
    control->counters.unreachable_heard++;
    usher_session_heard(control->opening.session, unreachable.session, &unreachable.what);
    return true;
}
