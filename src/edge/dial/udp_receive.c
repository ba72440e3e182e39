// SPDX-License-Identifier: GPL-2.0-or-later
// From the socket to the peer.
#include "edge/dial/udp.h"
#include "os/udp.h"

#include <errno.h>

enum { DNS_PORT = 53 };

static void answered(struct dial_udp *udp, uint16_t from_port)
{
    bool dns = from_port == DNS_PORT && udp->last_port == DNS_PORT;
    dial_flow_wait(&udp->flow, dns ? WAIT_UDP_DNS : WAIT_UDP);
}

static void deliver(struct dial_udp *udp, const struct endpoint *from, const uint8_t *bytes, size_t len)
{
    struct usher_datagram datagram = {.bytes = bytes, .len = len};
    if (!udp->flow.by_name) {
        datagram.from = *from;
        datagram.to = udp->inside;
    }
    usher_session_datagram(udp->flow.session, &datagram);
}

static void deliver_all(struct dial_udp *udp, const struct udp_message *message)
{
    if (message->from.addr.version == 0)
        return;
    if (!udp->flow.by_name && !remotes_let_in(&udp->remotes, &message->from.addr))
        return;
    size_t at = 0;
    do {
        size_t left = message->len - at, len = left < message->piece ? left : message->piece;
        deliver(udp, &message->from, message->bytes + at, len);
        at += len;
    } while (at < message->len);
    answered(udp, message->from.port);
}

// The bytes that one system call brought; -1 with errno.
static ssize_t read_some(struct dial_udp *udp, unsigned most, int *count)
{
    struct udp_inbox *inbox = udp->flow.dial->inbox;
    ssize_t bytes = 0;
    *count = udp_receive(inbox, udp->watch.fd, most);
    if (*count > 0)
        udp->brings_trains = false; // until one of these is
    for (int i = 0; i < *count; i++) {
        struct udp_message message = udp_message(inbox, i);
        udp->brings_trains |= message.piece < message.len;
        bytes += (ssize_t)message.len;
        deliver_all(udp, &message);
    }
    return *count < 0 ? -1 : bytes;
}

// Where trains come, one at a time: each may be as large as the whole budget.
void dial_udp_receive(struct dial_udp *udp)
{
    ssize_t left = DATAGRAM_BUDGET_BYTES;
    for (int budget = DATAGRAM_BUDGET; budget > 0 && left > 0;) {
        unsigned most = udp->brings_trains ? 1 : UDP_MESSAGES;
        int count;
        ssize_t bytes = read_some(udp, most, &count);
        if (bytes < 0 && (errno == EAGAIN || !dial_udp_take_errors(udp)))
            return;
        if (count >= 0 && (unsigned)count < most)
            return;
        budget -= (int)most;
        left -= bytes;
    }
}
