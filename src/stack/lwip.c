// SPDX-License-Identifier: GPL-2.0-or-later
// lwIP's callbacks only take notes in the flow: what follows from them is done when lwIP has returned.
#include "stack/lwip.h"

#include "port.h"
#include "stack/held.h"
#include "stack/output.h"
#include "stack/packet_pbuf.h"

#include "lwip/ip.h"
#include "lwip/tcp.h"

#include <assert.h>
#include <string.h>

enum {
    MSS_UNKNOWN_V4 = 536,  // of a peer that sent none: RFC 9293 section 3.7.1
    MSS_UNKNOWN_V6 = 1220, // the same
    MSS_LEAST = 88,        // Linux's TCP_MIN_MSS: below it a packet costs more than its data are worth

    // A segment for the device to cut: less than 64 KiB with an IPv6 and a TCP header.
    SEGMENT_LARGEST = 65535 - 40 - 20,
    // lwIP moves an announced window by whole segments only, so without window scaling they are a quarter of 64 KiB.
    SEGMENT_LARGEST_UNSCALED = 16384,

    RTO_FIRST_MS = 1000,       // until an answer was timed: RFC 6298 section 2.1
    WINDOW_FIRST = 262144,     // bytes; grows to TCP_WND as the flow is read
    OUT_OF_ORDER_COPY = 32768, // bytes: half of what a packet buffer holds
};

static struct address get_address(const ip_addr_t *addr)
{
    if (IP_IS_V6(addr))
        return address_v6((const uint8_t *)ip_2_ip6(addr)->addr);
    return address_v4((const uint8_t *)&ip_2_ip4(addr)->addr);
}

void pcb_tuple(const struct stack_flow *flow, struct stack_tuple *out)
{
    const struct tcp_pcb *pcb = flow->pcb;
    out->inside = (struct endpoint){.addr = get_address(&pcb->remote_ip), .port = pcb->remote_port};
    out->outside = (struct endpoint){.addr = get_address(&pcb->local_ip), .port = pcb->local_port};
}

// The pcb goes, bytes may still wait to be read.
static void keep_tuple(struct stack_flow *flow)
{
    if (flow->traffic)
        pcb_tuple(flow, &flow->traffic->tuple);
}

static void failed(struct stack_flow *flow, err_t err)
{
    if (err != ERR_CLSD)
        return;
    flow->closed = true; // both halves are, and all is acknowledged
    keep_tuple(flow);
}

static void received(struct stack_flow *flow, struct tcp_pcb *pcb, struct pbuf *data)
{
    if (data) {
        unread_put(&flow_traffic(flow)->unread, data);
        return;
    }
    flow->finished = true;
    if (pcb->state == CLOSE_WAIT)
        tcp_clear_flags(pcb, TF_ACK_NOW); // the exchange acknowledges it, with our own last words if it can
}

static void sent(struct stack_flow *flow, uint16_t len)
{
    unacked_drop(&flow->traffic->unacked, len);
    flow->traffic->acked += len;
}

// Largest segments from here on. A multiple of the application's MSS, so that cutting leaves no runts.
static void raise_mss(struct stack_flow *flow, struct tcp_pcb *pcb)
{
    uint32_t most = pcb->flags & TF_WND_SCALE ? SEGMENT_LARGEST : SEGMENT_LARGEST_UNSCALED;
    if (flow->stack->config.offload && flow->gso <= most)
        pcb->mss = (u16_t)(most / flow->gso * flow->gso);
    else
        pcb->mss = flow->gso;
}

static void established(struct stack_flow *flow, struct tcp_pcb *pcb)
{
    flow->established = true;
    raise_mss(flow, pcb);
    tcp_nagle_disable(pcb);
}

// LWIP_EVENT_API: lwIP calls this by its name. Pointers to callbacks would cost every pcb 48 bytes.
err_t lwip_tcp_event(void *arg, struct tcp_pcb *pcb, enum lwip_event event, struct pbuf *data, u16_t size, err_t err)
{
    if (event == LWIP_EVENT_ACCEPT)
        established(arg, pcb);
    else if (event == LWIP_EVENT_RECV)
        received(arg, pcb, data);
    else if (event == LWIP_EVENT_SENT)
        sent(arg, size);
    else if (event == LWIP_EVENT_ERR)
        failed(arg, err);
    return ERR_OK;
}

// lwIP has freed the pcb, for whatever reason.
static void let_go(struct stack_flow *flow)
{
    struct stack *stack = flow->stack;
    flow->pcb = NULL;
    flow->reset = !flow->closed;
    if (flow->time_wait)
        stack->waits_count--;
    flow->time_wait = false;
    table_remove(&stack->table, &flow->node);
    if (flow->traffic) {
        list_remove(&flow->traffic->slow);
        list_remove(&flow->traffic->ack);
        unacked_clear(&flow->traffic->unacked);
    }
    flow_live_on(flow, &stack->lingering, 0);
    flow_touch(flow);
}

static uint16_t segment_size(const struct stack *stack, const struct tcp_pcb *pcb, uint16_t mss)
{
    bool v6 = IP_IS_V6(&pcb->remote_ip);
    struct address inside = get_address(&pcb->remote_ip);
    uint32_t fits = flow_data_in(pcb, path_mtus_to(stack->config.paths, &inside, stack->config.mtu, stack->now));
    uint32_t wanted = mss != 0 ? mss : v6 ? MSS_UNKNOWN_V6 : MSS_UNKNOWN_V4;
    if (wanted < MSS_LEAST)
        wanted = MSS_LEAST;
    return (uint16_t)(wanted < fits ? wanted : fits);
}

static err_t init_netif(struct netif *netif)
{
    struct stack *stack = netif->state;
    netif->name[0] = 't';
    netif->name[1] = 'u';
    netif->output = output_v4;
    netif->output_ip6 = output_v6;
    netif->mtu = stack->config.offload ? UINT16_MAX : (u16_t)stack->config.mtu;
    return ERR_OK;
}

// The listener has no port of its own but for the time lwIP takes a SYN: then it has that SYN's.
static void set_listener_port(struct stack *stack, uint16_t port)
{
    ((struct tcp_pcb_listen *)stack->listener)->local_port = port;
}

void pcb_open(struct stack *stack)
{
    lwip_port_start();
    // Any address will do: lwIP asks an interface for one before it sends, and every pcb has its own.
    ip4_addr_t address, mask, gateway;
    IP4_ADDR(&address, 192, 0, 2, 1);
    IP4_ADDR(&mask, 255, 255, 255, 255);
    ip4_addr_set_zero(&gateway);
    netif_add(&stack->netif, &address, &mask, &gateway, stack, init_netif, NULL);
    netif_set_default(&stack->netif);
    netif_set_up(&stack->netif);
    netif_set_link_up(&stack->netif);

    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(pcb, IP_ANY_TYPE, 1); // port 0 would make lwIP look for a free one
    stack->listener = tcp_listen(pcb);
    tcp_bind_netif(stack->listener, &stack->netif);
    set_listener_port(stack, 0);
}

void pcb_close(struct stack *stack)
{
    tcp_close(stack->listener);
    netif_remove(&stack->netif);
}

static void set_address(ip_addr_t *out, const struct address *addr)
{
    if (addr->version == 4) {
        IP_SET_TYPE(out, IPADDR_TYPE_V4);
        memcpy(&ip_2_ip4(out)->addr, addr->bytes, 4);
    } else {
        IP_SET_TYPE(out, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(out)->addr, addr->bytes, 16);
    }
}

// What lwIP's IP layer would have left behind. It only ever looks at the addresses, and whether they are IPv6.
static void set_ip_data(struct stack *stack, const uint8_t *ip, const struct address *src, const struct address *dst)
{
    bool v6 = src->version == 6;
    ip_data.current_netif = ip_data.current_input_netif = &stack->netif;
    ip_data.current_ip4_header = v6 ? NULL : (const struct ip_hdr *)ip;
    ip_data.current_ip6_header = v6 ? (struct ip6_hdr *)ip : NULL;
    ip_data.current_ip_header_tot_len = v6 ? 40 : 20;
    set_address(&ip_data.current_iphdr_src, src);
    set_address(&ip_data.current_iphdr_dest, dst);
}

// lwIP made the flow's pcb a TIME_WAIT one in the call that just ended.
static void enter_time_wait(struct stack_flow *flow)
{
    flow->time_wait = true;
    flow->closed = true;
    flow->stack->waits_count++;
    if (flow->traffic) {
        list_remove(&flow->traffic->slow);
        list_remove(&flow->traffic->ack);
    }
    flow_live_on(flow, &flow->stack->time_wait, TIME_WAIT_KEPT);
}

// Takes the flow's pcb off lwIP's lists again; one that is on neither is gone.
static void detach(struct stack_flow *flow)
{
    bool is_active = tcp_active_pcbs, is_waiting = tcp_tw_pcbs;
    assert(!tcp_active_pcbs || !tcp_active_pcbs->next);
    tcp_active_pcbs = tcp_tw_pcbs = NULL;
    if (!is_active && !is_waiting)
        let_go(flow);
    else if (is_waiting && !flow->time_wait)
        enter_time_wait(flow);
}

// lwIP has made a pcb for the flow's SYN, and answered that.
static void begin(struct stack_flow *flow, struct tcp_pcb *pcb)
{
    flow->gso = segment_size(flow->stack, pcb, flow->held->options.mss);
    held_end(flow);
    flow->pcb = pcb;
    if (pcb->rcv_wnd > WINDOW_FIRST) {
        pcb->rcv_wnd = pcb->rcv_ann_wnd = WINDOW_FIRST;
        pcb->rcv_ann_right_edge = pcb->rcv_nxt + WINDOW_FIRST; // a SYN's window is not scaled: less was announced
    }
    pcb->rto = pcb->sv = RTO_FIRST_MS / TCP_SLOW_INTERVAL;
    flow->window = pcb->rcv_wnd;
}

void pcb_admit(struct stack_flow *flow)
{
    struct stack *stack = flow->stack;
    const struct held_syn *held = flow->held;
    struct packet *packet = packet_new_small(SEGMENT_WRITTEN_MAX);
    size_t len = held_write_syn(held, packet->bytes);
    size_t ip = held->tuple.inside.addr.version == 4 ? 20 : 40;
    struct pbuf *syn = packet_to_pbuf(packet, packet->bytes + ip, (uint16_t)(len - ip), &stack->received);
    lwip_port_seed_isn(&stack->key, stack->now);
    set_ip_data(stack, packet->bytes, &held->tuple.inside.addr, &held->tuple.outside.addr);
    tcp_arg(stack->listener, flow); // the new pcb inherits it
    set_listener_port(stack, held->tuple.outside.port);
    tcp_input(syn, &stack->netif);
    set_listener_port(stack, 0);
    struct tcp_pcb *pcb = tcp_active_pcbs;
    assert(pcb && !pcb->next);
    tcp_active_pcbs = NULL;
    begin(flow, pcb);
    pcb_watch(flow);
}

// Data out of order may be held for long, so little of them must not pin a large buffer.
static struct pbuf *to_pbuf(struct stack_flow *flow, struct packet *packet, const struct segment *segment)
{
    uint16_t len = (uint16_t)(segment->header_len + segment->len);
    uint8_t *at = segment->tcp;
    if (segment->seq != flow->pcb->rcv_nxt && segment->len > 0 && segment->len < OUT_OF_ORDER_COPY) {
        struct packet *small = packet_new_small(len);
        memcpy(small->bytes, at, len);
        packet_drop(packet);
        packet = small;
        at = small->bytes;
    }
    return packet_to_pbuf(packet, at, len, &flow->stack->received);
}

void pcb_input(struct stack_flow *flow, struct packet *packet, const struct segment *segment)
{
    struct stack *stack = flow->stack;
    bool was_established = flow->established;
    set_ip_data(stack, segment->view->ip, &segment->view->src, &segment->view->dst);
    struct pbuf *pbuf = to_pbuf(flow, packet, segment);
    tcp_clear_flags(flow->pcb, TF_ACK_DELAY); // or lwIP would acknowledge every second segment at once
    *(flow->time_wait ? &tcp_tw_pcbs : &tcp_active_pcbs) = flow->pcb;
    tcp_input(pbuf, &stack->netif);
    detach(flow);
    if (!flow->pcb || flow->time_wait)
        return;
    if (flow->established && !was_established) // nothing on the way to the application is congested, or lost
        flow->pcb->cwnd = flow->pcb->ssthresh = TCP_SND_BUF;
    pcb_watch(flow);
}

static bool needs_timer(const struct tcp_pcb *pcb)
{
    bool resting = pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT || pcb->state == FIN_WAIT_2;
    return !resting || pcb->unacked || pcb->unsent || pcb->ooseq || pcb->persist_backoff > 0;
}

void pcb_watch(struct stack_flow *flow)
{
    struct stack *stack = flow->stack;
    if (!needs_timer(flow->pcb)) {
        if (flow->traffic)
            list_remove(&flow->traffic->slow);
        return;
    }
    struct traffic *traffic = flow_traffic(flow);
    if (list_is_linked(&traffic->slow))
        return;
    if (list_is_empty(&stack->slow))
        stack->slow_due = stack->now + TCP_SLOW_INTERVAL * USEC_PER_MSEC;
    list_push_back(&stack->slow, &traffic->slow);
}

bool pcb_has_sent(const struct stack_flow *flow, uint32_t seq)
{
    return sequence_order(flow->pcb->lastack, seq) <= 0 && sequence_order(seq, flow->pcb->snd_nxt) < 0;
}

void pcb_send_again(struct stack_flow *flow)
{
    tcp_active_pcbs = flow->pcb;
    if (flow->pcb->unacked && tcp_rexmit_rto_prepare(flow->pcb) == ERR_OK)
        tcp_rexmit_rto_commit(flow->pcb);
    detach(flow);
}

void pcb_tick(struct stack *stack)
{
    struct list *slow = &stack->slow, alive;
    list_init(&alive);
    list_for_each(node, slow) {
        struct tcp_pcb *pcb = container_of(node, struct traffic, slow)->flow->pcb;
        pcb->next = tcp_active_pcbs;
        tcp_active_pcbs = pcb;
    }
    tcp_slowtmr();
    while (tcp_active_pcbs) {
        struct tcp_pcb *pcb = tcp_active_pcbs;
        struct stack_flow *flow = pcb->callback_arg;
        tcp_active_pcbs = pcb->next;
        pcb->next = NULL;
        list_remove(&flow->traffic->slow);
        list_push_back(&alive, &flow->traffic->slow);
    }
    for (struct list *node; (node = list_pop_front(slow));)
        let_go(container_of(node, struct traffic, slow)->flow);
    for (struct list *node; (node = list_pop_front(&alive));) {
        struct stack_flow *flow = container_of(node, struct traffic, slow)->flow;
        if (needs_timer(flow->pcb))
            list_push_back(slow, node);
        else
            flow_touch(flow); // whose traffic may be over
    }
}

void pcb_abort(struct stack_flow *flow)
{
    keep_tuple(flow);
    tcp_clear_flags(flow->pcb, TF_ACK_DELAY); // or lwIP would send that acknowledgement first
    tcp_abort(flow->pcb);
    let_go(flow);
}

void pcb_probe(struct stack_flow *flow)
{
    tcp_keepalive(flow->pcb);
    flow->pcb->keep_cnt_sent++; // lwIP zeroes it when something is heard
}
