// SPDX-License-Identifier: GPL-2.0-or-later
// The part of a flow that is the same for every protocol: its place in the lists, its answer, its end.
#include "base/memory.h"
#include "edge/dial/internal.h"
#include "edge/dial/reason.h"

#include <assert.h>

struct dial_flow *dial_flow_add(struct dial *dial, size_t size, const struct dial_kind *kind,
                                struct usher_session *session, const struct usher_open *open)
{
    struct dial_flow *flow = memory_new(size);
    flow->dial = dial;
    flow->kind = kind;
    flow->session = session;
    flow->protocol = (uint8_t)open->protocol;
    flow->outside = (struct endpoint){.addr = open->addr, .port = open->port};
    flow->by_name = open->by_name;
    flow->since = (uint32_t)(uv_now(dial->loop) / 1000);
    flow->connecting = true;
    list_push_back(&dial->waits[WAIT_NOTHING].flows, &flow->link);
    dial->count++;
    dial->connecting++;
    usher_session_attach(session, kind->ops, flow);
    return flow;
}

static void answered(struct dial_flow *flow)
{
    if (!flow->connecting)
        return;
    flow->connecting = false;
    flow->dial->connecting--;
}

void dial_flow_retire(struct dial_flow *flow)
{
    assert(!flow->session);
    answered(flow);
    dial_lookup_cancel(flow);
    list_remove(&flow->link);
    list_push_back(&flow->dial->retired, &flow->link);
    flow->dial->count--;
}

void dial_flow_accept(struct dial_flow *flow)
{
    answered(flow);
    flow->dial->counters.connects++;
    usher_session_accept(flow->session);
}

void dial_flow_refuse(struct dial_flow *flow, enum usher_word word, const char *text)
{
    struct dial_counters *counters = &flow->dial->counters;
    struct usher_session *session = flow->session;
    if (word == USHER_DENIED)
        counters->denied++;
    else if (word == USHER_LIMIT)
        counters->limited++;
    else
        counters->refused++;
    answered(flow);
    flow->session = NULL;
    usher_session_refuse(session, word, text);
}

void dial_flow_refuse_errno(struct dial_flow *flow, int error)
{
    char room[REASON_ROOM];
    dial_flow_refuse(flow, reason_word(error), reason_text(room, error, &flow->outside));
}

void dial_flow_reset_errno(struct dial_flow *flow, int error)
{
    char room[REASON_ROOM];
    struct usher_session *session = flow->session;
    flow->session = NULL;
    if (session)
        usher_session_reset(session, reason_word(error), reason_text(room, error, &flow->outside));
}

bool dial_flow_idle(struct dial_flow *flow)
{
    struct usher_session *session = flow->session;
    if (flow->closing) {
        flow->session = NULL;
        usher_session_reset(session, USHER_TIMEOUT, "close was not answered");
        return true;
    }
    flow->closing = true;
    dial_flow_wait(flow, WAIT_DRAIN);
    usher_session_close(session);
    return false;
}
