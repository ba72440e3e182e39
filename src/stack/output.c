// SPDX-License-Identifier: GPL-2.0-or-later
// A packet of lwIP is a chain: headers first, in one piece, then references to slices. It goes out in one write.
#include "stack/output.h"

#include "base/checksum.h"
#include "packet/segment.h"

#include <netinet/in.h>
#include <string.h>

enum {
    PARTS_MAX = 64, // of a packet; more and smaller ones are cheaper to copy together than to gather
    // What was lost so often, on a way that loses little, may be too big for a link whose router says nothing.
    TRIES_BEFORE_SHORTER = 2,
};

struct outgoing {
    const struct pbuf *chain;
    uint8_t *tcp;
    uint16_t ip_len;     // IP header
    uint16_t header_len; // and the TCP header
    struct address src;
    struct address dst;
};

static void examine(struct outgoing *out, struct pbuf *chain)
{
    uint8_t *ip = chain->payload;
    bool v4 = ip[0] >> 4 == 4;
    out->chain = chain;
    out->ip_len = v4 ? 20 : 40;
    out->tcp = ip + out->ip_len;
    out->header_len = (uint16_t)(out->ip_len + (out->tcp[12] >> 4) * 4);
    out->src = v4 ? address_v4(ip + 12) : address_v6(ip + 8);
    out->dst = v4 ? address_v4(ip + 16) : address_v6(ip + 24);
}

// The checksum of a chain. A part that begins at an odd offset has its bytes in the other halves of the words: the sum
// of such a part is that of the even one with its bytes swapped (RFC 1071 section 2 B).
static uint64_t add_chain(uint64_t sum, const struct outgoing *out)
{
    const uint8_t *at = out->tcp;
    size_t len = (size_t)out->chain->len - out->ip_len;
    bool odd = false;
    for (const struct pbuf *p = out->chain; p;) {
        uint16_t part = (uint16_t)~checksum_fold(checksum_add(0, at, len));
        sum += odd ? __builtin_bswap16(part) : part;
        odd ^= len & 1;
        if ((p = p->next)) {
            at = p->payload;
            len = p->len;
        }
    }
    return sum;
}

// What the device cuts is cut to what the way to the application takes: a router on it that takes less says so, and cuts
// nothing (RFC 1191). The header's checksum stands already, and goes down by what the flag adds (RFC 1624).
static void forbid_cutting(uint8_t *ip)
{
    enum { FLAGS_AT = 6, CHECKSUM_AT = 10, DONT_FRAGMENT = 0x40 };
    uint32_t sum = (uint32_t)(uint16_t) ~(ip[CHECKSUM_AT] << 8 | ip[CHECKSUM_AT + 1]) + (DONT_FRAGMENT << 8);
    uint16_t checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
    ip[FLAGS_AT] |= DONT_FRAGMENT;
    ip[CHECKSUM_AT] = (uint8_t)(checksum >> 8);
    ip[CHECKSUM_AT + 1] = (uint8_t)checksum;
}

// lwIP says in its SYN-ACK what it takes itself; what comes through the device is no larger than that is.
static void announce_mss(const struct stack *stack, const struct outgoing *out)
{
    enum { OPTION_MSS = 2, OPTION_SIZE = 4 };
    uint8_t *option = out->tcp + TCP_HEADER; // the first of them
    uint32_t most = stack->config.mtu - out->ip_len - TCP_HEADER;
    bool stands = out->header_len >= out->ip_len + TCP_HEADER + OPTION_SIZE && option[0] == OPTION_MSS;
    if (!stands || (uint32_t)(option[2] << 8 | option[3]) <= most)
        return;
    option[2] = (uint8_t)(most >> 8);
    option[3] = (uint8_t)most;
}

// Fills in the checksum, and what the kernel needs to finish the packet.
static void seal(struct virtio_net_hdr *vnet, const struct outgoing *out, bool offload, uint16_t gso)
{
    uint16_t tcp_len = (uint16_t)(out->chain->tot_len - out->ip_len);
    uint64_t sum = checksum_pseudo(&out->src, &out->dst, IPPROTO_TCP, tcp_len);
    uint8_t *checksum = out->tcp + TCP_CHECKSUM_AT;
    *vnet = (struct virtio_net_hdr){0};
    checksum_put(checksum, 0);
    if (!offload) {
        checksum_put(checksum, checksum_fold(add_chain(sum, out)));
        return;
    }
    checksum_put(checksum, (uint16_t)~checksum_fold(sum)); // the kernel adds the rest
    vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    vnet->csum_start = out->ip_len;
    vnet->csum_offset = TCP_CHECKSUM_AT;
    vnet->hdr_len = out->header_len;
    if (gso != 0 && out->chain->tot_len - out->header_len > gso) {
        vnet->gso_type = out->src.version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        vnet->gso_size = gso;
    }
}

static int gather(struct iovec parts[PARTS_MAX], struct stack *stack, const struct pbuf *chain)
{
    int count = 0;
    const struct pbuf *p = chain;
    for (; p && count < PARTS_MAX - 1; p = p->next)
        parts[count++] = (struct iovec){.iov_base = p->payload, .iov_len = p->len};
    if (!p)
        return count;
    size_t rest = 0;
    for (; p; rest += p->len, p = p->next)
        memcpy(stack->scratch + rest, p->payload, p->len);
    parts[count++] = (struct iovec){.iov_base = stack->scratch, .iov_len = rest};
    return count;
}

static bool emit(struct stack *stack, const struct virtio_net_hdr *vnet, const struct iovec *parts, int count)
{
    if (!stack->ops.emit(stack->owner, vnet, parts, count)) {
        stack->emit_failed = true;
        return false;
    }
    stack->counters.packets_out++;
    return true;
}

// lwIP hands a pbuf over with the hints of its pcb, and of nothing else that belongs to the flow.
static struct stack_flow *flow_of(const struct netif *netif)
{
    if (!netif->hints)
        return NULL;
    return container_of(netif->hints, struct tcp_pcb, netif_hints)->callback_arg;
}

static err_t output(struct netif *netif, struct pbuf *chain)
{
    struct stack *stack = netif->state;
    struct stack_flow *flow = flow_of(netif);
    struct outgoing out;
    struct virtio_net_hdr vnet;
    struct iovec parts[PARTS_MAX];
    examine(&out, chain);
    if (out.tcp[TCP_FLAGS_AT] & SEGMENT_SYN)
        announce_mss(stack, &out);
    if (flow && flow_has_pcb(flow) && flow->pcb->nrtx >= TRIES_BEFORE_SHORTER)
        flow_shorten(flow, MTU_LEAST_V6);
    if (flow && out.src.version == 4 && stack->config.offload)
        forbid_cutting(chain->payload);
    seal(&vnet, &out, stack->config.offload, flow ? flow->gso : 0);
    if (!emit(stack, &vnet, parts, gather(parts, stack, chain)))
        return ERR_WOULDBLOCK;
    if (flow) {
        uint32_t ack;
        memcpy(&ack, out.tcp + 8, sizeof ack);
        flow->ack_sent = lwip_htonl(ack);
        flow->answer_now = false;
    }
    return ERR_OK;
}

err_t output_v4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next_hop)
{
    (void)next_hop;
    return output(netif, packet);
}

err_t output_v6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *next_hop)
{
    (void)next_hop;
    return output(netif, packet);
}

void output_bytes(struct stack *stack, const uint8_t *bytes, size_t len)
{
    struct virtio_net_hdr vnet = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = len};
    emit(stack, &vnet, &part, 1);
}
