// SPDX-License-Identifier: GPL-2.0-or-later
// A flow between its owner and lwIP. What the owner asks for is noted; flow_flush does it at the end of the turn, so
// that acknowledgements, window and data leave in one packet where they can.
#include "stack/engine.h"
#include "stack/held.h"
#include "stack/holders.h"
#include "stack/timers.h"

#include "base/memory.h"

#include "lwip/tcp.h"

#include <assert.h>
#include <stdlib.h>

enum {
    WINDOW_LEAST = 131072,      // bytes; below it lwIP's large segments would not move the window any more
    WINDOW_STEP = 262144,       // bytes that a window must open to be worth a packet
    INTERACTIVE_LIMIT = 16384,  // bytes owed an acknowledgement above which it does not wait
    INTERACTIVE_SEGMENTS = 2,   // RFC 1122 section 4.2.3.2: every second segment is acknowledged
    ACK_LONG_WAIT_MSEC = 40,    // below the 200 ms after which Linux sends again, and its tail loss probe
    ACK_SHORT_WAIT_USEC = 2000, // an answer from a near server comes sooner; a far one makes 2 ms unnoticeable
};

struct stack_flow *flow_new(struct stack *stack, uint64_t hash)
{
    struct stack_flow *flow = memory_new(sizeof *flow);
    flow->stack = stack;
    list_init(&flow->life);
    list_init(&flow->hot);
    table_insert(&stack->table, &flow->node, hash);
    list_push_back(&stack->held, &flow->life);
    stack->flows++;
    return flow;
}

void flow_touch(struct stack_flow *flow)
{
    if (flow->touched)
        return;
    flow->touched = true;
    flow->next = NULL;
    *flow->stack->touched_end = flow;
    flow->stack->touched_end = &flow->next;
}

void flow_live_on(struct stack_flow *flow, struct list *list, uint32_t seconds)
{
    list_remove(&flow->life);
    list_push_back(list, &flow->life);
    flow->life_due = stack_seconds(flow->stack) + seconds + 1; // the current second has begun already
}

struct traffic *flow_traffic(struct stack_flow *flow)
{
    if (flow->traffic == NULL)
        flow->traffic = traffic_new(&flow->stack->traffic, flow);
    return flow->traffic;
}

static void drop_traffic(struct stack_flow *flow)
{
    if (flow->traffic != NULL)
        traffic_free(&flow->stack->traffic, flow->traffic);
    flow->traffic = NULL;
}

// The owner is done with the flow. What remains of it is the stack's, until the next flush or the end of TIME_WAIT.
static void orphan(struct stack_flow *flow)
{
    struct stack *stack = flow->stack;
    flow->orphaned = true;
    stack->flows--;
    drop_traffic(flow); // of a pcb that is left, one in TIME_WAIT, nothing is on its way
    if (flow->held != NULL) {
        held_end(flow);
        table_remove(&stack->table, &flow->node);
        flow_live_on(flow, &stack->lingering, 0);
    }
    flow_touch(flow);
}

static void end(struct stack_flow *flow, enum stack_ending ending)
{
    orphan(flow);
    flow->stack->ops.ended(flow->owner, ending);
}

void flow_report(struct stack_flow *flow)
{
    const struct stack_ops *ops = &flow->stack->ops;
    if (flow->traffic != NULL && flow->traffic->acked > 0 && !flow->reset && !flow->orphaned) {
        uint32_t acked = flow->traffic->acked;
        flow->traffic->acked = 0;
        ops->acked(flow->owner, acked);
    }
    if (flow_waiting(flow) > 0 && !flow->told && !flow->reset && !flow->orphaned) {
        flow->told = true;
        ops->readable(flow->owner);
    }
    if (flow->finished && !flow->reset && !flow->orphaned) {
        flow->finished = false;
        ops->finished(flow->owner);
    }
    if (flow->orphaned)
        return;
    if (flow->reset)
        end(flow, flow->evicted ? STACK_ENDED_EVICTED : STACK_ENDED_RESET);
    else if (flow->closed && flow_waiting(flow) == 0)
        end(flow, STACK_ENDED_CLOSED);
}

bool flow_is_over(const struct stack_flow *flow)
{
    return flow->orphaned && flow->pcb == NULL;
}

void flow_free(struct stack_flow *flow)
{
    drop_traffic(flow);
    list_remove(&flow->life);
    free(flow);
}

// How much of what was read goes back into the window. While the stack holds half of its budget windows shrink towards
// WINDOW_LEAST; else that of a flow whose owner reads on grows.
static uint32_t adjust_window(struct stack_flow *flow, uint32_t len)
{
    const struct stack *stack = flow->stack;
    if (stack->received > stack->config.receive_budget / 2) {
        uint32_t excess = flow->window > WINDOW_LEAST ? flow->window - WINDOW_LEAST : 0;
        uint32_t kept = excess < len ? excess : len;
        flow->window -= kept;
        return len - kept;
    }
    flow->consumed += len;
    if (flow->window < WINDOW_LEAST || flow->window >= TCP_WND || flow->consumed < flow->window)
        return len;
    uint32_t more = flow->window < TCP_WND - flow->window ? flow->window : TCP_WND - flow->window;
    flow->window += more;
    flow->consumed = 0;
    return len + more;
}

static void return_window(struct stack_flow *flow)
{
    uint32_t len = flow->traffic->unreturned;
    flow->traffic->unreturned = 0;
    if (len == 0)
        return;
    len = adjust_window(flow, len);
    while (len > 0) {
        u16_t piece = len < UINT16_MAX ? (u16_t)len : UINT16_MAX;
        tcp_recved(flow->pcb, piece);
        len -= piece;
    }
}

// Gives lwIP what it has room for.
static void push(struct stack_flow *flow)
{
    const uint8_t *bytes;
    uint32_t len;
    struct outbox *outbox = &flow->traffic->outbox;
    while ((bytes = outbox_next(outbox, &len)) != NULL) {
        uint32_t room = tcp_sndbuf(flow->pcb);
        uint32_t piece = len < room ? len : room;
        if (piece > UINT16_MAX)
            piece = UINT16_MAX;
        if (piece == 0 || tcp_write(flow->pcb, bytes, (u16_t)piece, 0) != ERR_OK)
            return; // acknowledgements will make room
        outbox_sent(outbox, piece);
    }
}

static void finish(struct stack_flow *flow)
{
    uint32_t len;
    if (flow->traffic != NULL && outbox_next(&flow->traffic->outbox, &len) != NULL)
        return;
    if (flow->finishing && !flow->fin_queued) {
        tcp_shutdown(flow->pcb, 0, 1);
        flow->fin_queued = true;
    }
}

static bool window_update_is_due(const struct stack_flow *flow)
{
    const struct tcp_pcb *pcb = flow->pcb;
    if (pcb->state != ESTABLISHED && pcb->state != FIN_WAIT_1 && pcb->state != FIN_WAIT_2)
        return false; // nothing more will come
    uint32_t opened = pcb->rcv_nxt + pcb->rcv_wnd - pcb->rcv_ann_right_edge;
    return opened >= WINDOW_STEP || opened >= flow->window / 2;
}

static void wait_no_more(struct stack_flow *flow)
{
    if (flow->traffic != NULL)
        list_remove(&flow->traffic->ack);
    flow->ack_overdue = false;
}

// A bare acknowledgement of `owed` bytes is held back: for little data, because the answer to them is likely to carry
// it; while the link is blocked, because the application would only send more that has to wait.
static bool ack_waits(struct stack_flow *flow, uint32_t owed, bool link_blocked)
{
    struct stack *stack = flow->stack;
    struct traffic *traffic = flow_traffic(flow);
    enum ack_wait kind = link_blocked && flow_waiting(flow) > 0 ? ACK_LONG : ACK_SHORT;
    uint32_t little = INTERACTIVE_SEGMENTS * (uint32_t)flow->gso;
    if (flow->ack_overdue || (kind == ACK_SHORT && (owed > little || owed > INTERACTIVE_LIMIT)))
        return false;
    usec_t due = stack->now + (kind == ACK_LONG ? ACK_LONG_WAIT_MSEC * USEC_PER_MSEC : ACK_SHORT_WAIT_USEC);
    if (list_is_linked(&traffic->ack) && traffic->ack_due <= due)
        return true;
    traffic->ack_due = due;
    list_remove(&traffic->ack);
    list_push_back(&stack->acks[kind], &traffic->ack);
    return true;
}

static void acknowledge(struct stack_flow *flow, bool link_blocked)
{
    struct tcp_pcb *pcb = flow->pcb;
    uint32_t owed = pcb->rcv_nxt - flow->ack_sent;
    bool now = flow->answer_now || (pcb->flags & TF_ACK_NOW) != 0 || window_update_is_due(flow);
    if (!now && owed > 0 && ack_waits(flow, owed, link_blocked))
        return;
    wait_no_more(flow);
    if (!now && owed == 0)
        return;
    tcp_ack_now(pcb);
    tcp_output(pcb);
}

static void exchange(struct stack_flow *flow, bool link_blocked)
{
    if (flow->established) {
        if (flow->traffic != NULL) {
            return_window(flow);
            push(flow);
        }
        finish(flow);
    }
    tcp_output(flow->pcb);
    if (flow->established)
        acknowledge(flow, link_blocked);
    engine_watch(flow);
}

bool flow_flush(struct stack_flow *flow, bool link_blocked)
{
    struct stack *stack = flow->stack;
    stack->emit_failed = false;
    bool answered = flow->accepted && flow->held != NULL;
    if (answered && flow->held->given_up) {
        flow->reset = true;
    } else if (answered) {
        engine_admit(flow);
        flow_live_on(flow, &stack->quiet, KEEPALIVE_IDLE);
    }
    if (flow->pcb != NULL && !flow->time_wait)
        exchange(flow, link_blocked);
    flow_report(flow);
    if (flow->traffic != NULL && traffic_is_over(flow->traffic))
        drop_traffic(flow);
    if (flow->traffic != NULL)
        inbox_settle(&flow->traffic->inbox, &stack->received);
    return !stack->emit_failed;
}

void stack_flow_accept(struct stack_flow *flow)
{
    assert(flow->held != NULL);
    flow->accepted = true;
    flow_touch(flow);
}

void stack_flow_refuse(struct stack_flow *flow, enum stack_refusal refusal)
{
    assert(flow->held != NULL);
    held_refuse(flow, refusal);
    orphan(flow);
}

size_t stack_flow_read(struct stack_flow *flow, uint8_t *room, size_t size)
{
    if (flow_waiting(flow) == 0)
        return 0;
    size_t len = inbox_take(&flow->traffic->inbox, room, size);
    holders_read(flow);
    flow->traffic->unreturned += (uint32_t)len;
    if (flow_waiting(flow) == 0)
        flow->told = false;
    flow_touch(flow);
    return len;
}

size_t stack_flow_waiting(const struct stack_flow *flow)
{
    return flow_waiting(flow);
}

void stack_flow_write(struct stack_flow *flow, const struct slice *slice)
{
    assert(!flow->finishing);
    if (flow->held == NULL && flow->pcb == NULL)
        return; // nobody will read it; `ended` is on its way
    outbox_put(&flow_traffic(flow)->outbox, slice);
    flow_touch(flow);
}

void stack_flow_finish(struct stack_flow *flow)
{
    flow->finishing = true;
    flow_touch(flow);
}

void stack_flow_abort(struct stack_flow *flow)
{
    if (flow->orphaned)
        return;
    if (flow->held != NULL)
        held_refuse(flow, STACK_REFUSE_RST);
    else if (flow->pcb != NULL && !flow->time_wait)
        engine_abort(flow);
    orphan(flow);
}
