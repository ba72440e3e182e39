// SPDX-License-Identifier: GPL-2.0-or-later
// Captured UDP: datagrams from the device into associations, super-packets of several datagrams cut apart first, and
// answers back as packets.
#include "edge/capture_internal.h"

#include <netinet/in.h>
#include <string.h>

enum {
    UDP_HEADER = 8,
    DNS_PORT = 53,
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

// A checksum of zero means "none" in IPv4 and is an error in IPv6 (RFC 768, RFC 8200 section 8.1). The kernel vouches
// for what it leaves half done or has checked itself.
static bool checksum_is_right(const struct packet_view *view, uint32_t len, const struct virtio_net_hdr *vnet)
{
    if (vnet->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
        return true;
    if (get16(view->upper + 6) == 0)
        return view->src.version == 4;
    uint64_t sum = checksum_pseudo(&view->src, &view->dst, IPPROTO_UDP, len);
    return checksum_fold(checksum_add(sum, view->upper, len)) == 0;
}

void capture_udp_take(struct capture *capture, const struct packet_view *view, const struct virtio_net_hdr *vnet)
{
    bool super = (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_UDP_L4 && vnet->gso_size > 0;
    uint32_t len = view->upper_len < UDP_HEADER ? 0 : super ? view->upper_len : get16(view->upper + 4);
    if (len < UDP_HEADER || len > view->upper_len || get16(view->upper + 2) == 0) {
        capture->counters.malformed++;
        return;
    }
    if (!checksum_is_right(view, len, vnet)) {
        capture->counters.bad_checksum++;
        return;
    }
    size_t quote_len = view->header_len + UDP_HEADER;
    struct outgoing out = {
        .protocol = USHER_UDP,
        .inside = {.addr = view->src, .port = get16(view->upper)},
        .outside = {.addr = view->dst, .port = get16(view->upper + 2)},
        .quote = view->ip,
        .quote_len = quote_len <= QUOTE_SIZE ? quote_len : 0,
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

// Towards the application

static size_t packet_len(const struct usher_datagram *datagram)
{
    return (datagram->to.addr.version == 4 ? 20 : 40) + UDP_HEADER + datagram->len;
}

static void emit(struct capture *capture, const struct usher_datagram *datagram)
{
    uint8_t head[CRAFT_HEAD_SIZE];
    struct virtio_net_hdr vnet = {0};
    bool cut = capture_must_cut(capture, datagram->to.addr.version, packet_len(datagram));
    size_t head_len = craft_udp(head, &vnet, capture->tun->offload && !cut, &datagram->from, &datagram->to,
                                datagram->bytes, datagram->len);
    if (cut)
        capture_emit_cut(capture, head, head_len, datagram->bytes, datagram->len);
    else
        capture_emit_crafted(capture, &vnet, head, head_len, datagram->bytes, datagram->len);
}

// False when the kernel does not take it. Some stable ones of 2024 offer USO and refuse packets of equal pieces with
// EINVAL (their check of virtio headers counted the headers in).
static bool emit_whole(struct capture *capture, const struct train *train)
{
    uint8_t head[CRAFT_HEAD_SIZE];
    struct virtio_net_hdr vnet = {0};
    size_t head_len = craft_udp(head, &vnet, true, &train->from, &train->to, train->bytes, train->len);
    vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
    vnet.gso_size = (uint16_t)train->piece;
    return capture_emit_train(capture, &vnet, head, head_len, train->bytes, train->len);
}

void capture_udp_flush(struct capture *capture)
{
    struct train *train = &capture->train;
    if (train->count > 1 && !emit_whole(capture, train))
        capture->trains_refused = true;
    for (unsigned i = 0; i < train->count && (train->count == 1 || capture->trains_refused); i++) {
        const struct usher_datagram piece = train_piece(train, i);
        emit(capture, &piece);
    }
    train_clear(train);
}

// The kernel cuts a train where it has to, which is behind us: at the socket, or at the next device. Pieces that do not
// fit through ours would have to be cut once more.
static bool wait_for_more(struct association *association, const struct usher_datagram *datagram)
{
    struct capture *capture = association->capture;
    return capture->config.udp_offload && capture->tun->uso && !capture->trains_refused &&
           packet_len(datagram) <= capture->config.mtu && train_join(&capture->train, association, datagram);
}

bool capture_udp_deliver(struct association *association, const struct usher_datagram *datagram)
{
    struct capture *capture = association->capture;
    struct usher_datagram out = *datagram;
    out.to = association->inside;
    if (association->fixed || out.from.addr.version == 0)
        out.from = association->outside;
    if (out.from.addr.version != out.to.addr.version || out.len > USHER_DATAGRAM_MAX) {
        capture->counters.datagrams_dropped++;
        return false;
    }
    if (!wait_for_more(association, &out)) {
        capture_udp_flush(capture);
        if (!wait_for_more(association, &out))
            emit(capture, &out);
    }
    return out.from.port == DNS_PORT;
}
