// SPDX-License-Identifier: GPL-2.0-or-later
// Who asked for a session, told before the session's open (usher_session_say_origin): so it is said only while there is credit for all that
// must go before it, and what is too much is not told.
#include "edge/control/internal.h"

enum { MESSAGE_MAX = CONTROL_HEADER_SIZE + 2 + 2 + 2 + 16 };

void control_originating_init(struct control_session *control)
{
    control->originating.first = control->originating.count = 0;
}

bool control_say_origin(struct control_session *control, uint16_t session, const struct endpoint *who)
{
    struct originating *originating = &control->originating;
    if (!control->config.tells_origin || !control->can_origin)
        return false;
    uint64_t before = control->out_len - control->out_at + originating->count * (uint64_t)MESSAGE_MAX;
    if (originating->count == ORIGINS_MAX || before + MESSAGE_MAX > usher_session_send_room(control->opening.session)) {
        control->counters.origins_untold++;
        return false;
    }
    control->counters.origins_told++;
    originating->ring[(originating->first + originating->count++) % ORIGINS_MAX] =
        (struct control_origin){.session = session, .who = *who};
    control_ready(control);
    return true;
}

bool control_originating_write(struct control_session *control, struct writer *w)
{
    struct originating *originating = &control->originating;
    if (originating->count == 0)
        return false;
    control_origin_encode(w, &originating->ring[originating->first]);
    originating->first = (originating->first + 1) % ORIGINS_MAX;
    originating->count--;
    return true;
}

bool control_take_origin(struct control_session *control, const struct control_message *message)
{
    struct control_origin origin;
    if (!control_origin_decode(&origin, message))
        return false;
    if (!origin.who.addr.version || !control->config.keeps_origin)
        return true;
    control->counters.origins_heard++;
    usher_session_origin_came(control->opening.session, origin.session, &origin.who);
    return true;
}
