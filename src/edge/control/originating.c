// SPDX-License-Identifier: GPL-2.0-or-later
// Who asked for a session, told before the session's open (usher_session_say_origin): so it is said only while there is credit for all that
// must go before it, and what is too much is not told.
#include "base/memory.h"
#include "edge/control/internal.h"

enum { MESSAGE_MAX = CONTROL_HEADER_SIZE + 2 + 2 + 2 + 16 };

void control_originating_init(struct control_talk *talk)
{
    talk->originating.first = talk->originating.count = 0;
}

bool control_say_origin(struct control_talk *talk, uint16_t session, const struct endpoint *who)
{
    struct originating *originating = &talk->originating;
    if (!talk->control->config.tells_origin || !talk->can_origin)
        return false;
    uint64_t before = talk->out_len - talk->out_at + originating->count * (uint64_t)MESSAGE_MAX;
    if (originating->count == ORIGINS_MAX || before + MESSAGE_MAX > usher_session_send_room(talk->opening.session)) {
        talk->control->counters.origins_untold++;
        return false;
    }
    talk->control->counters.origins_told++;
    if (!originating->ring)
        originating->ring = memory_new(ORIGINS_MAX * sizeof *originating->ring);
    originating->ring[(originating->first + originating->count++) % ORIGINS_MAX] =
        (struct control_origin){.session = session, .who = *who};
    control_talk_ready(talk);
    return true;
}

bool control_originating_write(struct control_talk *talk, struct writer *w)
{
    struct originating *originating = &talk->originating;
    if (originating->count == 0)
        return false;
    control_origin_encode(w, &originating->ring[originating->first]);
    originating->first = (originating->first + 1) % ORIGINS_MAX;
    originating->count--;
    return true;
}

bool control_take_origin(struct control_talk *talk, const struct control_message *message)
{
    struct control_origin origin;
    if (!control_origin_decode(&origin, message))
        return false;
    if (!origin.who.addr.version || !talk->control->config.keeps_origin)
        return true;
    talk->control->counters.origins_heard++;
    usher_session_origin_came(talk->opening.session, origin.session, &origin.who);
    return true;
}
