// SPDX-License-Identifier: GPL-2.0-or-later
// The part of a flow that is the same for every protocol: its place in the lists, its waiting, its end. The alarm is set
// to the first of all that wait and does nothing but wake the loop, and the turn asks what is due. Activity moves a flow
// to the end of its list, so the alarm may come early and find nothing.
#include "edge/relay/flow.h"

#include "base/memory.h"
#include "edge/relay/reason.h"

#include <assert.h>

struct relay_flow *relay_flow_add(const struct relay_kind *kind, size_t size, const struct usher_open *open)
{
    struct relay *relay = kind->relay;
    struct relay_flow *flow = memory_new(size);
    flow->kind = kind;
    flow->protocol = (uint8_t)open->protocol;
    flow->outside = (struct endpoint){.addr = open->addr, .port = open->port};
    flow->by_name = open->by_name || open->addr.version != 4; // version 6 travels as its text
    flow->opening.timed.own = (uint32_t)(uv_now(relay->config.loop) / 1000);
    flow->pending = true;
    list_push_back(&relay->resting, &flow->opening.timed.node);
    relay->count++;
    relay->pending++;
    return flow;
}

void relay_flow_answered(struct relay_flow *flow)
{
    if (!flow->pending)
        return;
    flow->pending = false;
    flow->kind->relay->pending--;
}

void relay_flow_retire(struct relay_flow *flow)
{
    assert(!flow->opening.session);
    relay_flow_answered(flow);
    list_remove(&flow->opening.timed.node);
    list_push_back(&flow->kind->relay->retired, &flow->opening.timed.node);
    flow->kind->relay->count--;
}

void relay_flow_reset(struct relay_flow *flow, int error)
{
    char room[REASON_ROOM];
    struct usher_session *session = flow->opening.session;
    const struct endpoint *end = relay_flow_is_ours(flow) ? flow->kind->inside(flow) : &flow->outside;
    flow->opening.session = NULL;
    if (session)
        usher_session_reset(session, reason_word(error), reason_text(room, error, end));
}

bool relay_flow_idle(struct relay_flow *flow)
{
    struct usher_session *session = flow->opening.session;
    if (flow->closing || flow->pending) {
        flow->opening.session = NULL;
        usher_session_reset(session, USHER_TIMEOUT, flow->closing ? "close was not answered" : "no answer");
        return true;
    }
    flow->closing = true;
    relay_flow_wait(flow, RELAY_WAIT_DRAIN);
    usher_session_close(session);
    return false;
}

static usec_t loop_now(const struct relay *relay)
{
    return uv_now(relay->config.loop) * USEC_PER_MSEC;
}

void relay_flow_wait(struct relay_flow *flow, enum relay_wait wait)
{
    struct relay *relay = flow->kind->relay;
    struct timeline *line = &relay->waits[wait];
    list_remove(&flow->opening.timed.node);
    bool first = timeline_is_empty(line);
    usec_t now = loop_now(relay);
    timeline_put(line, &flow->opening.timed, timeline_moment(now));
    if (first)
        alarm_set(&relay->alarm, now + line->span * USEC_PER_MSEC, now);
}

void relay_flow_rest(struct relay_flow *flow)
{
    list_remove(&flow->opening.timed.node);
    list_push_back(&flow->kind->relay->resting, &flow->opening.timed.node);
}

static void expire(struct timed *timed)
{
    struct relay_flow *flow = container_of(timed, struct relay_flow, opening.timed);
    relay_flow_rest(flow);
    flow->kind->expired(flow);
}

bool relay_flow_hurry(struct relay *relay, enum relay_wait wait, uint32_t least)
{
    struct timeline *line = &relay->waits[wait];
    uint32_t soon = line->span > least ? line->span - least : 0;
    struct timed *timed = timeline_expired(line, timeline_moment(loop_now(relay)) + soon);
    if (timed)
        expire(timed);
    return timed;
}

void relay_flows_expire(struct relay *relay, usec_t now)
{
    for (int i = 0; i < RELAY_WAITS; i++) {
        for (struct timed *timed; (timed = timeline_expired(&relay->waits[i], timeline_moment(now)));)
            expire(timed);
    }
    alarm_set(&relay->alarm, timelines_deadline(relay->waits, RELAY_WAITS, now), now);
}
