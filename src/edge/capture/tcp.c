// SPDX-License-Identifier: GPL-2.0-or-later
// Captured TCP: glue between a flow of the stack and a session of the engine. A SYN stays held until the far side has
// answered. A flow has two lives, the stack's and the session's; either pointer is NULL once its own is over, and the
// flow goes when both are.
#include "edge/capture/internal.h"

#include "base/memory.h"
#include "usher/eviction.h"

#include <assert.h>
#include <stdlib.h>

struct tcp_flow {
    struct capture_flow flow; // first
    struct stack_flow *stack;
};

static_assert(sizeof(struct tcp_flow) <= 56, "ten thousand held flows stay small");

enum {
    DISCARD_ROOM = 16384, // bytes a call: as the pull takes them
};

static const struct usher_session_ops session_ops;

static struct tcp_flow *flow_of(struct list *node)
{
    return container_of(node, struct tcp_flow, flow.opening.timed.node);
}

static void flow_move(struct tcp_flow *flow, struct list *list)
{
    list_remove(&flow->flow.opening.timed.node);
    list_push_back(list, &flow->flow.opening.timed.node);
}

static void bury_if_over(struct tcp_flow *flow)
{
    if (flow->stack || flow->flow.opening.session)
        return;
    flow_move(flow, &flow->flow.capture->tcp_dead);
    flow->flow.capture->tcp_count--;
}

static void refuse(struct tcp_flow *flow, enum stack_refusal refusal)
{
    struct stack_flow *stack = flow->stack;
    flow->stack = NULL;
    if (stack)
        stack_flow_refuse(stack, refusal);
    bury_if_over(flow);
}

static void abort_stack(struct tcp_flow *flow)
{
    struct stack_flow *stack = flow->stack;
    flow->stack = NULL;
    if (stack)
        stack_flow_abort(stack);
    bury_if_over(flow);
}

static enum stack_refusal refusal_of(enum usher_word word, const char *text)
{
    if (word == USHER_REFUSED)
        return STACK_REFUSE_RST;
    switch (capture_open_error(word, text)) {
    case NO_ERROR:
        return STACK_REFUSE_SILENT;
    case CRAFT_NO_NET:
        return STACK_REFUSE_NO_NET;
    case CRAFT_PROHIBITED:
        return STACK_REFUSE_PROHIBITED;
    default:
        return STACK_REFUSE_NO_HOST;
    }
}

static void flow_open(struct tcp_flow *flow)
{
    edge_open(&flow->flow.capture->edge, &flow->flow.opening);
}

// The application may still talk; nobody listens. Its bytes are taken, so that its FIN can come through.
static void discard(struct tcp_flow *flow)
{
    uint8_t room[DISCARD_ROOM];
    while (stack_flow_read(flow->stack, room, sizeof room) > 0)
        ;
}

// --- what the session says ---

static void session_opened(void *owner)
{
    struct tcp_flow *flow = owner;
    flow->flow.accepted = true;
    stack_flow_accept(flow->stack);
}

static size_t session_fill(void *owner, uint8_t *room, size_t size)
{
    struct tcp_flow *flow = owner;
    size_t len = flow->stack ? stack_flow_read(flow->stack, room, size) : 0;
    if (len > 0 && flow->flow.app_finished && stack_flow_waiting(flow->stack) == 0)
        usher_session_finish_empty(flow->flow.opening.session);
    return len;
}

static void session_data(void *owner, const struct slice *slice)
{
    struct tcp_flow *flow = owner;
    if (flow->stack)
        stack_flow_write(flow->stack, slice);
    else
        usher_session_consumed(flow->flow.opening.session, slice->len);
}

static void finish_stack(struct tcp_flow *flow)
{
    if (flow->stack && !flow->flow.finished_to_app)
        stack_flow_finish(flow->stack);
    flow->flow.finished_to_app = true;
}

static void session_finished(void *owner)
{
    finish_stack(owner);
}

static void session_stop_sending(void *owner)
{
    struct tcp_flow *flow = owner;
    flow->flow.nobody_takes = true;
    if (flow->stack)
        discard(flow);
}

// Both directions are over for the tunnel. What was received may still be on its way to the application, and when the
// far side closed both halves at once, the application's own half is still open.
static void session_closed(struct tcp_flow *flow)
{
    if (!flow->stack) {
        bury_if_over(flow);
        return;
    }
    flow->flow.nobody_takes = true;
    finish_stack(flow);
    if (!flow->flow.app_finished) {
        discard(flow);
        timeline_put(&flow->flow.capture->lines[LINE_TCP_CLOSING], &flow->flow.opening.timed,
                     capture_moment(flow->flow.capture));
    }
}

static void session_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct tcp_flow *flow = owner;
    flow->flow.opening.session = NULL;
    if (ending == USHER_ENDED_CLOSED)
        session_closed(flow);
    else if (flow->flow.accepted)
        abort_stack(flow);
    else if (ending == USHER_ENDED_LOST)
        flow_open(flow); // nothing was promised to the application yet
    else
        refuse(flow, refusal_of(word, text));
}

static const struct usher_session_ops session_ops = {
    .opened = session_opened,
    .fill = session_fill,
    .data = session_data,
    .finished = session_finished,
    .stop_sending = session_stop_sending,
    .ended = session_ended,
};

// --- what the stack says ---

static void *stack_syn(void *owner, struct stack_flow *stack, const struct stack_tuple *tuple)
{
    (void)tuple; // capture_tcp_want asks for it
    struct capture *capture = owner;
    struct tcp_flow *flow = memory_new(sizeof *flow);
    flow->flow.capture = capture;
    flow->stack = stack;
    flow->flow.opening.timed.own = (uint32_t)(capture->now / USEC_PER_SEC);
    list_init(&flow->flow.opening.timed.node);
    flow->flow.protocol = USHER_TCP;
    capture->tcp_count++;
    flow_open(flow);
    return flow;
}

static void stack_readable(void *owner)
{
    struct tcp_flow *flow = owner;
    if (flow->flow.nobody_takes)
        discard(flow);
    else if (flow->flow.opening.session)
        usher_session_ready(flow->flow.opening.session);
}

static void stack_finished(void *owner)
{
    struct tcp_flow *flow = owner;
    flow->flow.app_finished = true;
    if (flow->flow.opening.session && stack_flow_waiting(flow->stack) == 0)
        usher_session_finish_empty(flow->flow.opening.session);
    else if (flow->flow.opening.session)
        usher_session_finish(flow->flow.opening.session);
    else if (flow->flow.accepted)
        flow_move(flow, &flow->flow.capture->tcp_open); // the stack ends it now, without our limit
}

static void stack_acked(void *owner, size_t len)
{
    struct tcp_flow *flow = owner;
    if (flow->flow.opening.session)
        usher_session_consumed(flow->flow.opening.session, len);
}

static void stack_ended(void *owner, enum stack_ending ending)
{
    struct tcp_flow *flow = owner;
    flow->stack = NULL;
    bool evicted = ending == STACK_ENDED_EVICTED;
    flow->flow.capture->counters.flows_evicted += evicted;
    if (flow->flow.opening.session && ending != STACK_ENDED_CLOSED) {
        usher_session_reset(flow->flow.opening.session, evicted ? USHER_LIMIT : USHER_FAILED,
                            evicted ? EVICTION_REASON : "reset by the application");
        flow->flow.opening.session = NULL;
    }
    bury_if_over(flow);
}

static bool stack_emit(void *owner, const struct virtio_net_hdr *vnet, const struct iovec *iov, int iovcnt)
{
    return capture_emit(owner, vnet, iov, iovcnt);
}

const struct stack_ops capture_stack_ops = {
    .syn = stack_syn,
    .readable = stack_readable,
    .finished = stack_finished,
    .acked = stack_acked,
    .ended = stack_ended,
    .emit = stack_emit,
};

// --- what the turn says ---

void capture_tcp_want(const struct opening *opening, struct want *out)
{
    const struct tcp_flow *flow = container_of(opening, struct tcp_flow, flow.opening);
    struct stack_tuple tuple;
    bool held = stack_flow_tuple(flow->stack, &tuple);
    assert(held); // its SYN, until the session is opened
    (void)held;
    *out = (struct want){.ops = &session_ops, .origin = tuple.inside};
    out->open.protocol = USHER_TCP;
    out->open.port = tuple.outside.port;
    out->open.addr = tuple.outside.addr;
}

void capture_tcp_placed(struct opening *opening)
{
    struct tcp_flow *flow = container_of(opening, struct tcp_flow, flow.opening);
    flow_move(flow, &flow->flow.capture->tcp_open);
}

void capture_tcp_refused(struct opening *opening, enum usher_word word, const char *text)
{
    refuse(container_of(opening, struct tcp_flow, flow.opening), refusal_of(word, text));
}

void capture_tcp_expire(struct capture *capture, uint32_t moment)
{
    for (struct timed *timed; (timed = timeline_expired(&capture->lines[LINE_TCP_CLOSING], moment));)
        abort_stack(flow_of(&timed->node));
}

// One that is asked for is answered first: a session that ends before it begins is abuse to the peer.
static void withdraw(struct tcp_flow *flow)
{
    struct usher_session *session = flow->flow.opening.session;
    if (session && !flow->flow.accepted)
        return;
    flow->flow.opening.session = NULL;
    if (session)
        usher_session_reset(session, USHER_FAILED, "is not routed here any more");
    if (flow->flow.accepted)
        abort_stack(flow);
    else
        refuse(flow, STACK_REFUSE_NO_NET);
}

static void withdraw_on(struct list *list, capture_covers *covers, void *owner)
{
    list_for_each(node, list) {
        struct tcp_flow *flow = flow_of(node);
        struct stack_tuple tuple;
        if (flow->flow.protocol == USHER_TCP && flow->stack && stack_flow_tuple(flow->stack, &tuple) &&
            !covers(owner, &tuple.outside.addr))
            withdraw(flow);
    }
}

void capture_tcp_withdraw(struct capture *capture, capture_covers *covers, void *owner)
{
    withdraw_on(&capture->tcp_open, covers, owner);
    withdraw_on(&capture->lines[LINE_TCP_CLOSING].waiting, covers, owner);
    withdraw_on(&capture->edge.held.waiting, covers, owner);
}

void capture_tcp_reclaim(struct capture *capture)
{
    for (struct list *node; (node = list_pop_front(&capture->tcp_dead));)
        free(flow_of(node));
}

static void free_list(struct list *list)
{
    for (struct list *node; (node = list_pop_front(list));)
        free(flow_of(node));
}

void capture_tcp_free_all(struct capture *capture)
{
    free_list(&capture->tcp_open);
    free_list(&capture->tcp_dead);
    free_list(&capture->lines[LINE_TCP_CLOSING].waiting);
}

static const char *state_of(const struct tcp_flow *flow)
{
    return flow->flow.opening.session ? usher_session_state(flow->flow.opening.session) : "closing";
}

static void each_on(const struct list *list, flow_visit *visit, void *arg, usec_t now)
{
    list_for_each(node, list) {
        const struct tcp_flow *flow = flow_of(node);
        struct stack_tuple tuple;
        if (!flow->stack || !stack_flow_tuple(flow->stack, &tuple))
            continue; // over for the application, and in a moment for the tunnel
        struct flow_info info = {
            .who = &flow->flow.opening,
            .protocol = USHER_TCP,
            .inside = tuple.inside,
            .outside = tuple.outside,
            .state = state_of(flow),
            .bytes_out = flow->flow.opening.session ? usher_session_sent(flow->flow.opening.session) : 0,
            .bytes_in = flow->flow.opening.session ? usher_session_received(flow->flow.opening.session) : 0,
            .age = capture_age(&flow->flow, now),
        };
        visit(arg, &info);
    }
}

void capture_tcp_each(struct capture *capture, flow_visit *visit, void *arg, usec_t now)
{
    each_on(&capture->tcp_open, visit, arg, now);
    each_on(&capture->lines[LINE_TCP_CLOSING].waiting, visit, arg, now);
}
