// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of an open, said to the peer and counted.
#include "edge/dial/internal.h"
#include "edge/relay/reason.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>

enum { TELL_EVERY_MS = 60000 };

void dial_accept(struct relay_flow *flow)
{
    relay_flow_answered(flow);
    edge_reached(&dial_of(flow)->front.edge, flow->opening.session, &flow->outside);
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

// The address that is to be come from may come back. Mostly EADDRNOTAVAIL is something else: no port is free.
static bool lacks_source(const struct relay_flow *flow)
{
    const struct address *from = dial_source(dial_of(flow), flow->outside.addr.version);
    return from && !socket_may_bind(from);
}

// To this side's log once a minute; the peer hears it of each open.
static void tell_source(const struct relay_flow *flow)
{
    struct dial *dial = dial_of(flow);
    const struct address *from = dial_source(dial, flow->outside.addr.version);
    uint64_t now = uv_now(dial->front.relay->config.loop), *told = &dial->source_told[from->version == 6];
    char text[ADDRESS_TEXT_SIZE];
    if (*told && now - *told < TELL_EVERY_MS)
        return;
    *told = now ? now : 1;
    log_warning("Source: this host does not have %s now: until it does, nothing can come from there",
                address_text(from, text));
}

static void refuse_for_source(struct relay_flow *flow)
{
    tell_source(flow);
    char to[ENDPOINT_TEXT_SIZE], from[ADDRESS_TEXT_SIZE], text[REASON_ROOM];
    snprintf(text, sizeof text, "net %s: this host does not have %s, which it is to come from",
             endpoint_text(&flow->outside, to),
             address_text(dial_source(dial_of(flow), flow->outside.addr.version), from));
    dial_refuse(flow, USHER_UNREACHABLE, text);
}

void dial_refuse_errno(struct relay_flow *flow, int error)
{
    char room[REASON_ROOM];
    edge_reached(&dial_of(flow)->front.edge, flow->opening.session, &flow->outside);
    if (error == EADDRNOTAVAIL && lacks_source(flow)) {
        refuse_for_source(flow);
        return;
    }
    dial_refuse(flow, reason_word(error), reason_text(room, error, &flow->outside));
}

const char *dial_state(const struct relay_flow *flow)
{
    return flow->phase == DIAL_RESOLVING ? "resolving" : "connecting";
}
