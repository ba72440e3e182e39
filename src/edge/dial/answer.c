// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of an open, said to the peer and counted.
#include "edge/dial/internal.h"
#include "edge/relay/reason.h"

void dial_accept(struct relay_flow *flow)
{
    relay_flow_answered(flow);
    dial_of(flow)->counters.connects++;
    usher_session_accept(flow->opening.session);
}

void dial_refuse(struct relay_flow *flow, enum usher_word word, const char *text)
{
    struct dial_counters *counters = &dial_of(flow)->counters;
    struct usher_session *session = flow->opening.session;
    if (word == USHER_DENIED)
        counters->denied++;
    else if (word == USHER_LIMIT)
        counters->limited++;
    else
        counters->refused++;
    relay_flow_answered(flow);
    flow->opening.session = NULL;
    usher_session_refuse(session, word, text);
}

void dial_refuse_errno(struct relay_flow *flow, int error)
{
    char room[REASON_ROOM];
    dial_refuse(flow, reason_word(error), reason_text(room, error, &flow->outside));
}

const char *dial_state(const struct relay_flow *flow)
{
    return flow->phase == DIAL_RESOLVING ? "resolving" : "connecting";
}
