// SPDX-License-Identifier: GPL-2.0-or-later
// Packets to the device: whole ones, those made of headers and a payload, fragments, and ICMP errors.
#include "edge/capture/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum {
    V6_HEADER = 40,
    V6_DST_AT = 24,
    V6_FRAGMENT_HEADER = 8,
    V6_MORE_FRAGMENTS = 1,
};

// What to make of errno: counted as lost, or false when the device may take it later, and then it will say so.
static bool is_lost(struct capture *capture)
{
    if (errno == EAGAIN || errno == ENOBUFS) {
        capture->writable_wanted = true;
        return false;
    }
    capture->counters.packets_lost++; // as on any network; a device that is down says EIO
    return true;
}

bool capture_emit(struct capture *capture, const struct virtio_net_hdr *vnet, const struct iovec *iov, int iovcnt)
{
    if (!tun_write(capture->tun, vnet, iov, iovcnt))
        return is_lost(capture);
    capture->counters.packets_out++;
    return true;
}

void capture_emit_crafted(struct capture *capture, const struct virtio_net_hdr *vnet, const uint8_t *head,
                          size_t head_len, const uint8_t *payload, size_t len)
{
    const struct iovec iov[] = {{(void *)head, head_len}, {(void *)payload, len}};
    if (!capture_emit(capture, vnet, iov, len > 0 ? 2 : 1))
        capture->counters.packets_lost++;
}

bool capture_emit_batch(struct capture *capture, const struct virtio_net_hdr *vnet, const uint8_t *head,
                        size_t head_len, const uint8_t *payload, size_t len)
{
    const struct iovec iov[] = {{(void *)head, head_len}, {(void *)payload, len}};
    if (tun_write(capture->tun, vnet, iov, 2)) {
        capture->counters.packets_out++;
        return true;
    }
    if (errno == EINVAL)
        return false;
    if (!is_lost(capture))
        capture->counters.packets_lost++;
    return true;
}

bool capture_must_cut(const struct capture *capture, const struct address *to, size_t len)
{
    return to->version == 6 && len > capture_path_mtu(capture, to);
}

// The headers of one fragment: the packet's own, with the fragment header between it and the upper layer's.
static void fragment_head(uint8_t *head, const uint8_t *whole, size_t offset, size_t len, bool more, uint32_t id)
{
    uint16_t payload_len = htons((uint16_t)(V6_FRAGMENT_HEADER + len));
    uint16_t field = htons((uint16_t)(offset | (more ? V6_MORE_FRAGMENTS : 0)));
    memcpy(head, whole, V6_HEADER);
    memcpy(head + 4, &payload_len, 2);
    head[6] = IPPROTO_FRAGMENT;
    head[V6_HEADER] = whole[6];
    head[V6_HEADER + 1] = 0;
    memcpy(head + V6_HEADER + 2, &field, 2);
    memcpy(head + V6_HEADER + 4, &id, 4);
}

void capture_emit_cut(struct capture *capture, const uint8_t *head, size_t head_len, const uint8_t *payload, size_t len)
{
    static const struct virtio_net_hdr none;
    uint8_t own[V6_HEADER + V6_FRAGMENT_HEADER];
    const struct address to = address_v6(head + V6_DST_AT);
    size_t step = (capture_path_mtu(capture, &to) - sizeof own) / 8 * 8;
    size_t upper_head = head_len - V6_HEADER; // goes in front of the first one's payload
    size_t total = upper_head + len;
    uint32_t id = capture->fragment_number++;
    for (size_t offset = 0; offset < total; offset += step) {
        size_t part = total - offset < step ? total - offset : step;
        size_t first = offset == 0 ? upper_head : 0;
        const uint8_t *from = payload + (offset == 0 ? 0 : offset - upper_head);
        fragment_head(own, head, offset, part, offset + part < total, id);
        const struct iovec iov[] = {
            {own, sizeof own}, {(void *)(head + V6_HEADER), first}, {(void *)from, part - first}};
        if (!capture_emit(capture, &none, iov, 3)) {
            capture->counters.packets_lost++;
            return; // the others are worth nothing without this one
        }
    }
}

void capture_emit_error(struct capture *capture, int error, const uint8_t *offender, size_t len)
{
    static const struct virtio_net_hdr none;
    uint8_t room[CRAFT_ERROR_SIZE];
    if (error == NO_ERROR || len == 0)
        return;
    size_t size = craft_icmp_error(room, (enum craft_error)error, offender, len);
    if (size > 0)
        capture_emit_crafted(capture, &none, room, size, NULL, 0);
}
