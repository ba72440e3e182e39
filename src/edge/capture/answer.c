// SPDX-License-Identifier: GPL-2.0-or-later
// Answers for an association, as packets for its application. Where there is no answer there is silence.
#include "edge/capture/internal.h"

enum {
    UDP_HEADER = 8,
    DNS_PORT = 53,
};

static size_t packet_len(const struct usher_datagram *datagram)
{
    return (datagram->to.addr.version == 4 ? 20 : 40) + UDP_HEADER + datagram->len;
}

// Headers and payload, as one packet or cut.
static void emit_packet(struct capture *capture, const struct virtio_net_hdr *vnet, bool cut, const uint8_t *head,
                        size_t head_len, const struct usher_datagram *datagram)
{
    if (cut)
        capture_emit_cut(capture, head, head_len, datagram->bytes, datagram->len);
    else
        capture_emit_crafted(capture, vnet, head, head_len, datagram->bytes, datagram->len);
}

static void emit(struct capture *capture, const struct usher_datagram *datagram)
{
    uint8_t head[CRAFT_HEAD_SIZE];
    struct virtio_net_hdr vnet = {0};
    bool cut = capture_must_cut(capture, &datagram->to.addr, packet_len(datagram));
    size_t head_len = craft_udp(head, &vnet, capture->tun->offload && !cut, &datagram->from, &datagram->to,
                                datagram->bytes, datagram->len);
    emit_packet(capture, &vnet, cut, head, head_len, datagram);
}

// False when the kernel does not take it. Some stable ones of 2024 offer USO and refuse packets of equal pieces with
// EINVAL (their check of virtio headers counted the headers in).
static bool emit_whole(struct capture *capture, const struct datagram_batch *batch)
{
    uint8_t head[CRAFT_HEAD_SIZE];
    struct virtio_net_hdr vnet = {0};
    size_t head_len = craft_udp(head, &vnet, true, &batch->from, &batch->to, batch->bytes, batch->len);
    vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
    vnet.gso_size = (uint16_t)batch->piece;
    return capture_emit_batch(capture, &vnet, head, head_len, batch->bytes, batch->len);
}

void answer_flush(struct capture *capture)
{
    struct datagram_batch *batch = capture->batch;
    if (batch->count > 1 && !emit_whole(capture, batch))
        capture->batches_refused = true;
    for (unsigned i = 0; i < batch->count && (batch->count == 1 || capture->batches_refused); i++) {
        const struct usher_datagram piece = batch_piece(batch, i);
        emit(capture, &piece);
    }
    batch_clear(batch);
}

// The kernel cuts a batch where it has to, which is behind us: at the socket, or at the next device. Pieces that do not
// fit through ours would have to be cut once more.
static bool wait_for_more(struct association *association, const struct usher_datagram *datagram)
{
    struct capture *capture = association->flow.capture;
    return capture->config.udp_offload && capture->tun->uso && !capture->batches_refused &&
           packet_len(datagram) <= capture_path_mtu(capture, &datagram->to.addr) &&
           batch_join(capture->batch, association, datagram);
}

bool answer_udp(struct association *association, const struct usher_datagram *datagram)
{
    struct capture *capture = association->flow.capture;
    struct usher_datagram out = *datagram;
    out.to = association->inside;
    if (association->fixed || out.from.addr.version == 0)
        out.from = association->outside;
    if (out.from.addr.version != out.to.addr.version || out.len > USHER_DATAGRAM_MAX) {
        capture->counters.datagrams_dropped++;
        return false;
    }
    if (!wait_for_more(association, &out)) {
        answer_flush(capture);
        if (!wait_for_more(association, &out))
            emit(capture, &out);
    }
    return out.from.port == DNS_PORT;
}

void answer_echo(struct association *association, const struct usher_datagram *datagram)
{
    struct capture *capture = association->flow.capture;
    const struct address *from = &association->outside.addr;
    if (datagram->len > USHER_DATAGRAM_MAX) {
        capture->counters.datagrams_dropped++;
        return;
    }
    uint8_t head[CRAFT_HEAD_SIZE];
    struct virtio_net_hdr vnet = {0};
    size_t head_len = craft_echo_reply(head, from, &association->inside.addr, association->inside.port,
                                       datagram->to.port, datagram->bytes, datagram->len);
    bool cut = capture_must_cut(capture, &association->inside.addr, head_len + datagram->len);
    emit_packet(capture, &vnet, cut, head, head_len, datagram);
}
