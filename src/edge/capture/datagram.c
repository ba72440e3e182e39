// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams from inside, UDP and echo requests, into their associations. Super-packets of several datagrams are cut apart
// first. Other messages of ICMP have no session to go by; what routers say of our own packets is heeded (too_big.c).
#include "edge/capture/internal.h"

#include "base/checksum.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

enum {
    UDP_HEADER = 8,
    ECHO_HEADER = 8,
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

// How much of the packet an error about it quotes: up to the end of its upper layer's header; 0 when that is too much.
static size_t quotable(const struct packet_view *view, size_t header)
{
    size_t len = view->header_len + header;
    return len <= QUOTE_SIZE ? len : 0;
}

// A checksum of zero means "none" in IPv4 and is an error in IPv6 (RFC 768, RFC 8200 section 8.1).
static bool udp_checksum_is_right(const struct packet_view *view, uint32_t len, const struct virtio_net_hdr *vnet)
{
    if (packet_is_vouched_for(vnet))
        return true;
    if (get16(view->upper + 6) == 0)
        return view->src.version == 4;
    uint64_t sum = checksum_pseudo(&view->src, &view->dst, IPPROTO_UDP, len);
    return checksum_fold(checksum_add(sum, view->upper, len)) == 0;
}

static void take_udp(struct capture *capture, const struct packet_view *view, const struct virtio_net_hdr *vnet)
{
    bool super = (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_UDP_L4 && vnet->gso_size > 0;
    uint32_t len = view->upper_len < UDP_HEADER ? 0 : super ? view->upper_len : get16(view->upper + 4);
    if (len < UDP_HEADER || len > view->upper_len || get16(view->upper + 2) == 0) {
        capture->counters.malformed++;
        return;
    }
    if (!udp_checksum_is_right(view, len, vnet)) {
        capture->counters.bad_checksum++;
        return;
    }
    struct outgoing out = {
        .protocol = USHER_UDP,
        .inside = {.addr = view->src, .port = get16(view->upper)},
        .outside = {.addr = view->dst, .port = get16(view->upper + 2)},
        .quote = view->ip,
        .quote_len = quotable(view, UDP_HEADER),
    };
    const uint8_t *payload = view->upper + UDP_HEADER;
    size_t left = len - UDP_HEADER;
    do {
        out.bytes = payload;
        out.len = super && vnet->gso_size < left ? vnet->gso_size : left;
        capture_association_send(capture, &out);
        payload += out.len;
        left -= out.len;
    } while (left > 0);
}

static bool icmp_checksum_is_right(const struct packet_view *view, const struct virtio_net_hdr *vnet)
{
    if (packet_is_vouched_for(vnet))
        return true;
    uint64_t sum = 0;
    if (view->src.version == 6)
        sum = checksum_pseudo(&view->src, &view->dst, IPPROTO_ICMPV6, view->upper_len);
    return checksum_fold(checksum_add(sum, view->upper, view->upper_len)) == 0;
}

static void take_icmp(struct capture *capture, const struct packet_view *view, const struct virtio_net_hdr *vnet)
{
    bool v4 = view->src.version == 4;
    if (view->protocol != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) || view->upper_len < ECHO_HEADER) {
        capture->counters.malformed++;
        return;
    }
    if (!icmp_checksum_is_right(view, vnet)) {
        capture->counters.bad_checksum++;
        return;
    }
    if (view->upper[0] != (v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST) || view->upper[1] != 0) {
        capture->counters.unsupported += !capture_too_big(capture, view);
        return;
    }
    struct outgoing out = {
        .protocol = view->protocol,
        .inside = {.addr = view->src, .port = get16(view->upper + 4)},
        .outside = {.addr = view->dst, .port = get16(view->upper + 6)},
        .quote = view->ip,
        .quote_len = quotable(view, ECHO_HEADER),
        .bytes = view->upper + ECHO_HEADER,
        .len = view->upper_len - ECHO_HEADER,
    };
    capture_association_send(capture, &out);
}

void capture_datagram_take(struct capture *capture, const struct packet_view *view, const struct virtio_net_hdr *vnet)
{
    if (view->protocol == IPPROTO_UDP)
        take_udp(capture, view, vnet);
    else if (view->protocol == IPPROTO_ICMP || view->protocol == IPPROTO_ICMPV6)
        take_icmp(capture, view, vnet);
    else
        capture->counters.unsupported++;
}
