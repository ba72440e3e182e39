// SPDX-License-Identifier: GPL-2.0-or-later
// Order of the file: errors, which end things; sending, which meets them; receiving, which meets both.
#include "edge/relay/port.h"

#include "os/socket/socket.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MESSAGES_BUDGET = 64, // read from one socket before others have their turn
    BYTES_BUDGET = 65536, // the same: a quarter of what waits in the engine (USHER_DATAGRAM_QUEUE)
};

void relay_port_init(struct relay_port *port, struct relay *relay, const struct relay_port_ops *ops)
{
    *port = (struct relay_port){.watch.fd = -1, .ops = ops, .relay = relay, .brings_batches = true};
}

void relay_port_close(struct relay_port *port)
{
    if (port->relay->batch->owner == port)
        batch_clear(port->relay->batch);
    if (port->watch.fd < 0)
        return;
    poller_forget(port->relay->config.poller, &port->watch);
    close(port->watch.fd);
    port->watch.fd = -1;
}

// The socket is not only ours: it would be watched on after our descriptor is closed.
void relay_port_deafen(struct relay_port *port)
{
    poller_delete(port->relay->config.poller, &port->watch);
}

// Errors

// A filter's word. For IPv4 the kernel makes the errno of a host or a net that cannot be reached of it.
static bool is_prohibition(const struct sock_extended_err *error)
{
    return error->ee_origin == SO_EE_ORIGIN_ICMP && error->ee_type == ICMP_DEST_UNREACH &&
           (error->ee_code == ICMP_NET_ANO || error->ee_code == ICMP_HOST_ANO || error->ee_code == ICMP_PKT_FILTERED);
}

// The errno of the oldest message in the error queue, 0 when there is none, and whom it is about. ip(7), IP_RECVERR.
static int queued_error(int fd, struct endpoint *to)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
    } control;
    struct sockaddr_storage sa;
    struct msghdr message = {
        .msg_name = &sa, .msg_namelen = sizeof sa, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return 0;
    if (message.msg_namelen == 0 || !endpoint_from_sockaddr(to, (const struct sockaddr *)&sa))
        *to = (struct endpoint){0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6)
            continue;
        struct sock_extended_err error;
        memcpy(&error, CMSG_DATA(c), sizeof error);
        return is_prohibition(&error) ? EACCES : (int)error.ee_errno;
    }
    return EAGAIN; // a message without a cause
}

// Empties the error queue. False when the port has been closed over it.
static bool take_errors(struct relay_port *port)
{
    struct endpoint to;
    int error;
    while ((error = queued_error(port->watch.fd, &to)) != 0) {
        if (!port->ops->failed(port, &to, error))
            return false;
    }
    socket_error(port->watch.fd); // the copy of the last one that the next call would fail with
    return true;
}

// Sending

static bool transmit(const struct relay_port *port, const struct endpoint *to, const uint8_t *bytes, size_t len,
                     size_t piece)
{
    return udp_send(port->watch.fd, port->connected ? NULL : to, bytes, len, piece) || errno == EAGAIN;
}

// False when the port has been closed over it.
static bool send_one(struct relay_port *port, const struct usher_datagram *datagram)
{
    if (transmit(port, &datagram->to, datagram->bytes, datagram->len, datagram->len))
        return true;
    // The failure may be an earlier datagram's, told now; then this one has not been sent.
    int error = errno;
    if (!take_errors(port))
        return false;
    return transmit(port, &datagram->to, datagram->bytes, datagram->len, datagram->len) ||
           port->ops->failed(port, &datagram->to, error);
}

// A path that takes no batches, or none of such pieces: they are above its MTU, or its device cannot do checksums
// (udp(7)). So it stays for as long as the port is open.
static bool is_refusal(int error)
{
    return error == EINVAL || error == EMSGSIZE || error == EIO;
}

static bool send_whole(struct relay_port *port, const struct datagram_batch *batch)
{
    if (batch->count == 1 || port->refuses_batches)
        return false;
    if (transmit(port, &batch->to, batch->bytes, batch->len, batch->piece))
        return true;
    port->refuses_batches = is_refusal(errno);
    return false;
}

// What fails as a batch may do better one by one, also when it was told an earlier datagram's failure.
static bool send_batch(struct relay_port *port, const struct datagram_batch *batch)
{
    if (send_whole(port, batch))
        return true;
    for (unsigned i = 0; i < batch->count; i++) {
        const struct usher_datagram piece = batch_piece(batch, i);
        if (!send_one(port, &piece))
            return false;
    }
    return true;
}

bool relay_port_send_waiting(struct relay_port *port)
{
    struct datagram_batch *batch = port->relay->batch;
    if (batch->owner != port)
        return true;
    bool goes_on = send_batch(port, batch);
    batch_clear(batch);
    return goes_on;
}

void relay_port_flush(struct relay *relay)
{
    if (relay->batch->owner)
        relay_port_send_waiting(relay->batch->owner);
}

// Until the end of the turn, which must come even if this one has passed the point already.
static bool wait_for_more(struct relay_port *port, const struct usher_datagram *datagram)
{
    struct relay *relay = port->relay;
    bool waits = relay->config.udp_offload && batch_join(relay->batch, port, datagram);
    if (waits && relay->batch->count == 1)
        relay->config.wake(relay->config.owner);
    return waits;
}

void relay_port_send(struct relay_port *port, const struct usher_datagram *datagram)
{
    if (wait_for_more(port, datagram))
        return;
    relay_port_flush(port->relay);
    if (port->watch.fd >= 0 && !wait_for_more(port, datagram))
        send_one(port, datagram);
}

// Receiving

// The bytes that one system call brought; -1 with errno.
static ssize_t read_some(struct relay_port *port, unsigned most, int *count)
{
    struct relay *relay = port->relay;
    relay->inbox = relay->inbox ? relay->inbox : udp_inbox_new();
    struct udp_inbox *inbox = relay->inbox;
    ssize_t bytes = 0;
    *count = udp_receive(inbox, port->watch.fd, most);
    if (*count > 0)
        port->brings_batches = false; // until one of these is
    for (int i = 0; i < *count && port->watch.fd >= 0; i++) {
        struct udp_message message = udp_message(inbox, i);
        port->brings_batches |= message.piece < message.len;
        bytes += (ssize_t)message.len;
        if (message.from.addr.version != 0)
            port->ops->received(port, &message);
    }
    return *count < 0 ? -1 : bytes;
}

// Where batches come, one at a time: each may be as large as the whole budget.
static void receive(struct relay_port *port)
{
    ssize_t left = BYTES_BUDGET;
    for (int budget = MESSAGES_BUDGET; budget > 0 && left > 0 && port->watch.fd >= 0;) {
        unsigned most = port->brings_batches ? 1 : UDP_MESSAGES;
        int count;
        ssize_t bytes = read_some(port, most, &count);
        if (bytes < 0 && (errno == EAGAIN || !take_errors(port)))
            return;
        if (count >= 0 && (unsigned)count < most)
            return;
        budget -= (int)most;
        left -= bytes;
    }
}

// Told as long as there is something to read, so a socket that has used up its budget has another turn.
static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct relay_port *port = container_of(watch, struct relay_port, watch);
    if (!(events & EPOLLERR) || take_errors(port))
        receive(port);
}

bool relay_port_open(struct relay_port *port, int fd)
{
    if (port->relay->config.udp_offload)
        udp_set_batches(fd);
    return poller_add(port->relay->config.poller, &port->watch, fd, EPOLLIN, on_event);
}
