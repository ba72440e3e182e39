// SPDX-License-Identifier: GPL-2.0-or-later
// The device's side of capture: packets in, sorted by what carries them, and packets out.
#include "edge/capture_internal.h"

#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum {
    // Packets per wake-up, so that the tunnel gets its turn; the device stays readable for the rest.
    READ_BUDGET = 64,
    V6_HEADER = 40,
    V6_FRAGMENT_HEADER = 8,
    V6_MORE_FRAGMENTS = 1,
};

// What the kernel itself sends on every link, and what has no far end: multicast, broadcast, IPv6 link-local. Dropped
// without a count, for it is no fault of anybody.
static bool is_link_noise(const struct address *dst)
{
    if (dst->version == 4)
        return dst->bytes[0] >= 224;
    return dst->bytes[0] == 0xff || (dst->bytes[0] == 0xfe && (dst->bytes[1] & 0xc0) == 0x80);
}

static void take_datagram(struct capture *capture, const struct packet_view *view, const struct virtio_net_hdr *vnet)
{
    if (view->protocol == IPPROTO_UDP)
        capture_udp_take(capture, view, vnet);
    else if (view->protocol == IPPROTO_ICMP || view->protocol == IPPROTO_ICMPV6)
        capture_icmp_take(capture, view, vnet);
    else
        capture->counters.unsupported++;
}

// TCP senders cut their segments to fit, so a fragment of TCP is an accident or an attack (RFC 1858).
static void take_fragment(struct capture *capture, const struct packet_view *part)
{
    static const struct virtio_net_hdr none;
    struct packet_view whole;
    capture->counters.fragments++;
    if (part->protocol == IPPROTO_TCP)
        capture->counters.fragments_dropped++;
    else if (fragments_add(capture->fragments, part, &whole, capture->now))
        take_datagram(capture, &whole, &none);
}

// Consumes the packet only when the stack takes it; the others are done with when this returns.
static bool take(struct capture *capture, struct packet *packet)
{
    struct packet_view view;
    capture->counters.packets_in++;
    if (!packet_parse(&view, packet->bytes, packet->len)) {
        capture->counters.malformed++;
    } else if (is_link_noise(&view.dst)) {
        return false;
    } else if (view.fragment) {
        take_fragment(capture, &view);
    } else if (view.protocol == IPPROTO_TCP) {
        stack_input(capture->stack, packet, &view, capture->now);
        return true;
    } else {
        take_datagram(capture, &view, &packet->vnet);
    }
    return false;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void device_gone(struct capture *capture, const char *why)
{
    log_error("device %s is gone: %s", capture->tun->name, why);
    uv_poll_stop(&capture->poll);
    capture->device_gone = true;
}

// True when there may be more.
static bool read_one(struct capture *capture)
{
    if (!capture->spare)
        capture->spare = packet_new(capture->packets);
    struct packet *packet = capture->spare;
    ssize_t len = tun_read(capture->tun, &packet->vnet, packet->bytes, PACKET_SIZE);
    if (len < 0) {
        if (errno == EBADFD || errno == EBADF)
            device_gone(capture, strerror(errno));
        return errno == EINTR;
    }
    packet->len = (uint32_t)len;
    if (take(capture, packet))
        capture->spare = NULL;
    return true;
}

static void watch(struct capture *capture, bool writable)
{
    if (capture->device_gone)
        return;
    capture->writable_wanted = writable;
    uv_poll_start(&capture->poll, UV_READABLE | (writable ? UV_WRITABLE : 0), on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct capture *capture = poll->data;
    capture->now = clock_now();
    if (status < 0) {
        device_gone(capture, uv_strerror(status));
    } else {
        if (events & UV_WRITABLE)
            watch(capture, false);
        int budget = events & UV_READABLE ? READ_BUDGET : 0;
        while (budget-- > 0 && read_one(capture))
            ;
    }
    capture->wake(capture->owner);
}

void capture_device_start(struct capture *capture)
{
    watch(capture, false);
}

// What to make of errno: counted as lost, or false when the device may take it later, and then it will say so.
static bool is_lost(struct capture *capture)
{
    if (errno == EAGAIN || errno == ENOBUFS) {
        if (!capture->writable_wanted)
            watch(capture, true);
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

bool capture_emit_train(struct capture *capture, const struct virtio_net_hdr *vnet, const uint8_t *head,
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

bool capture_must_cut(const struct capture *capture, uint8_t version, size_t len)
{
    return version == 6 && len > capture->config.mtu;
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
    size_t step = (capture->config.mtu - sizeof own) / 8 * 8;
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
