// SPDX-License-Identifier: GPL-2.0-or-later
// Captured pings: an echo request goes to the far end by a session and the answer comes back as an echo reply. Where
// there is no answer there is silence. Other messages have no session to go by.
#include "edge/capture_internal.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

enum {
    ECHO_HEADER = 8,
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static bool checksum_is_right(const struct packet_view *view, const struct virtio_net_hdr *vnet)
{
    if (vnet->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
        return true;
    uint64_t sum = 0;
    if (view->src.version == 6)
        sum = checksum_pseudo(&view->src, &view->dst, IPPROTO_ICMPV6, view->upper_len);
    return checksum_fold(checksum_add(sum, view->upper, view->upper_len)) == 0;
}

void capture_icmp_take(struct capture *capture, const struct packet_view *view, const struct virtio_net_hdr *vnet)
{
    bool v4 = view->src.version == 4;
    if (view->protocol != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) || view->upper_len < ECHO_HEADER) {
        capture->counters.malformed++;
        return;
    }
    if (view->upper[0] != (v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST) || view->upper[1] != 0) {
        capture->counters.unsupported++;
        return;
    }
    if (!checksum_is_right(view, vnet)) {
        capture->counters.bad_checksum++;
        return;
    }
    size_t quote_len = view->header_len + ECHO_HEADER;
    struct outgoing out = {
        .protocol = view->protocol,
        .inside = {.addr = view->src, .port = get16(view->upper + 4)},
        .outside = {.addr = view->dst, .port = get16(view->upper + 6)},
        .quote = view->ip,
        .quote_len = quote_len <= QUOTE_SIZE ? quote_len : 0,
        .bytes = view->upper + ECHO_HEADER,
        .len = view->upper_len - ECHO_HEADER,
    };
    capture_association_send(capture, &out);
}

void capture_icmp_deliver(struct association *association, const struct usher_datagram *datagram)
{
    struct capture *capture = association->capture;
    const struct address *from = &association->outside.addr;
    if (datagram->len > USHER_DATAGRAM_MAX) {
        capture->counters.datagrams_dropped++;
        return;
    }
    uint8_t head[CRAFT_HEAD_SIZE];
    struct virtio_net_hdr vnet = {0};
    size_t head_len = craft_echo_reply(head, from, &association->inside.addr, association->inside.port,
                                       datagram->to.port, datagram->bytes, datagram->len);
    if (capture_must_cut(capture, from->version, head_len + datagram->len))
        capture_emit_cut(capture, head, head_len, datagram->bytes, datagram->len);
    else
        capture_emit_crafted(capture, &vnet, head, head_len, datagram->bytes, datagram->len);
}
