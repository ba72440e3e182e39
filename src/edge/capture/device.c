// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the device and sorts the packets by what carries them.
#include "edge/capture/internal.h"

#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

// Packets per wake-up, so that the tunnel gets its turn; the device stays readable for the rest.
enum { READ_BUDGET = 64 };

// What the kernel itself sends on every link, and what has no far end: multicast, broadcast, IPv6 link-local. Dropped
// without a count, for it is no fault of anybody.
static bool is_link_noise(const struct address *dst)
{
    if (dst->version == 4)
        return dst->bytes[0] >= 224;
    return dst->bytes[0] == 0xff || (dst->bytes[0] == 0xfe && (dst->bytes[1] & 0xc0) == 0x80);
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
        capture_datagram_take(capture, &whole, &none);
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
        capture_datagram_take(capture, &view, &packet->vnet);
    }
    return false;
}

static void device_gone(struct capture *capture, const char *why)
{
    if (capture->device_gone)
        return;
    log_debug("device %s is gone: %s", capture->tun->name, why); // whoever made it says what follows
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

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct capture *capture = poll->data;
    capture->now = clock_now();
    if (status < 0) {
        device_gone(capture, uv_strerror(status));
    } else {
        if (events & UV_WRITABLE)
            capture->writable_wanted = false; // unless the turn meets a full device again
        int budget = events & UV_READABLE ? READ_BUDGET : 0;
        while (budget-- > 0 && read_one(capture))
            ;
    }
    edge_wake(&capture->edge);
}

void capture_device_watch(struct capture *capture)
{
    int events = UV_READABLE | (capture->writable_wanted ? UV_WRITABLE : 0);
    if (capture->device_gone || events == capture->watched)
        return;
    capture->watched = events;
    uv_poll_start(&capture->poll, events, on_poll);
}
