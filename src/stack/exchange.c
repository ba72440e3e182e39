// SPDX-License-Identifier: GPL-2.0-or-later
// The window follows how fast the owner reads, and acknowledgements wait for something that can carry them.
#include "stack/exchange.h"

#include "stack/lwip.h"

#include "lwip/tcp.h"

enum {
    WINDOW_LEAST = 131072,      // bytes; below it lwIP's large segments would not move the window any more
    WINDOW_STEP = 262144,       // bytes that a window must open to be worth a packet
    INTERACTIVE_LIMIT = 16384,  // bytes owed an acknowledgement above which it does not wait
    INTERACTIVE_SEGMENTS = 2,   // RFC 1122 section 4.2.3.2: every second segment is acknowledged
    ACK_LONG_WAIT_MSEC = 40,    // below the 200 ms after which Linux sends again, and its tail loss probe
    ACK_SHORT_WAIT_USEC = 2000, // an answer from a near server comes sooner; a far one makes 2 ms unnoticeable
};

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
    struct unacked *unacked = &flow->traffic->unacked;
    while ((bytes = unacked_next(unacked, &len))) {
        uint32_t room = tcp_sndbuf(flow->pcb);
        uint32_t piece = len < room ? len : room;
        if (piece > UINT16_MAX)
            piece = UINT16_MAX;
        if (piece == 0 || tcp_write(flow->pcb, bytes, (u16_t)piece, 0) != ERR_OK)
            return; // acknowledgements will make room
        unacked_sent(unacked, piece);
    }
}

static void finish(struct stack_flow *flow)
{
    uint32_t len;
    if (flow->traffic && unacked_next(&flow->traffic->unacked, &len))
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
    if (flow->traffic)
        list_remove(&flow->traffic->ack);
    flow->ack_overdue = false;
}

// A bare acknowledgement of `owed` bytes is held back: for little data, because the answer to them is likely to carry
// it; while the link is blocked, because the application would only send more that has to wait.
static bool ack_waits(struct stack_flow *flow, uint32_t owed, bool link_blocked)
{
    struct stack *stack = flow->stack;
    struct traffic *traffic = flow_traffic(flow);
    enum ack_wait kind = link_blocked && flow_unread(flow) > 0 ? ACK_LONG : ACK_SHORT;
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
    bool now = flow->answer_now || pcb->flags & TF_ACK_NOW || window_update_is_due(flow);
    if (!now && owed > 0 && ack_waits(flow, owed, link_blocked))
        return;
    wait_no_more(flow);
    if (!now && owed == 0)
        return;
    tcp_ack_now(pcb);
    tcp_output(pcb);
}

void exchange_flow(struct stack_flow *flow, bool link_blocked)
{
    if (flow->established) {
        if (flow->traffic) {
            return_window(flow);
            push(flow);
        }
        finish(flow);
    }
    tcp_output(flow->pcb);
    if (flow->established)
        acknowledge(flow, link_blocked);
    pcb_watch(flow);
}
