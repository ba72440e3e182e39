// SPDX-License-Identifier: GPL-2.0-or-later
// UDP associations. Opened by an IPv4 address: one unconnected socket for one inside endpoint towards any number of
// destinations, each judged. Opened by name or IPv6: one connected socket, one far end.
#include "edge/dial_udp.h"

#include "edge/dial_reason.h"
#include "os/socket.h"
#include "os/udp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DNS_PORT = 53 };

static void close_udp(struct dial_udp *udp)
{
    if (udp->flow.dial->train.owner == udp)
        train_clear(&udp->flow.dial->train);
    remotes_fini(&udp->remotes);
    dial_flow_retire(&udp->flow);
    if (udp->watch.fd < 0)
        return;
    poller_forget(udp->flow.dial->config.poller, &udp->watch);
    close(udp->watch.fd);
    udp->watch.fd = -1;
}

// Errors

// ICMP errors concern the whole association only while it has one far end.
static bool is_fatal(const struct dial_udp *udp, int error)
{
    enum usher_word word = reason_word(error);
    return !udp->remotes.several && (word == USHER_REFUSED || word == USHER_UNREACHABLE);
}

// The errno of the oldest message in the error queue, 0 when there is none. ip(7), IP_RECVERR.
static int queued_error(int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
    } control;
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (v4 || v6)
            return (int)((const struct sock_extended_err *)CMSG_DATA(c))->ee_errno;
    }
    return EAGAIN; // a message without a cause
}

bool dial_udp_fail(struct dial_udp *udp, int error)
{
    if (!is_fatal(udp, error))
        return false;
    dial_flow_reset_errno(&udp->flow, error);
    close_udp(udp);
    return true;
}

bool dial_udp_take_errors(struct dial_udp *udp)
{
    int error;
    while ((error = queued_error(udp->watch.fd)) != 0) {
        if (dial_udp_fail(udp, error))
            return false;
    }
    socket_error(udp->watch.fd); // the copy of the last one that the next call would fail with
    return true;
}

// From the socket to the peer

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
static void read_all(struct dial_udp *udp)
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

// Told as long as there is something to read, so a socket that has used up its budget has another turn.
static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct dial_udp *udp = container_of(watch, struct dial_udp, watch);
    if (!(events & EPOLLERR) || dial_udp_take_errors(udp))
        read_all(udp);
}

// The life

static bool open_socket(struct dial_udp *udp)
{
    struct dial_flow *flow = &udp->flow;
    int fd = socket_datagram(flow->outside.addr.version);
    if (fd < 0)
        return false;
    if (flow->dial->config.udp_offload)
        udp_set_trains(fd);
    udp->last_port = flow->outside.port;
    if (!poller_add(flow->dial->config.poller, &udp->watch, fd, EPOLLIN, on_event))
        return false;
    if (flow->by_name)
        return socket_connect(fd, &flow->outside) == 0;
    // An address of its own now, for answers; the port is the kernel's random choice (RFC 6056).
    const struct sockaddr_in any = {.sin_family = AF_INET};
    return bind(fd, (const struct sockaddr *)&any, sizeof any) == 0;
}

static void reach(struct dial_flow *flow, const struct address *addrs, size_t count)
{
    struct dial_udp *udp = (struct dial_udp *)flow;
    (void)count;
    flow->outside.addr = addrs[0];
    if (!open_socket(udp)) {
        dial_flow_refuse_errno(flow, errno);
        close_udp(udp);
        return;
    }
    dial_flow_wait(flow, WAIT_UDP);
    dial_flow_accept(flow);
}

static void expired(struct dial_flow *flow)
{
    struct dial_udp *udp = (struct dial_udp *)flow;
    if (!flow->closing) // what still comes is for nobody
        poller_delete(flow->dial->config.poller, &udp->watch);
    if (dial_flow_idle(flow))
        close_udp(udp);
}

static void abandon(struct dial_flow *flow)
{
    close_udp((struct dial_udp *)flow);
}

static const struct endpoint *inside(const struct dial_flow *flow)
{
    return &((const struct dial_udp *)flow)->inside;
}

// Half an association is none.
static void finished(void *owner)
{
    struct dial_udp *udp = owner;
    if (!udp->flow.closing)
        usher_session_close(udp->flow.session);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct dial_udp *udp = owner;
    (void)ending;
    (void)word;
    (void)text;
    udp->flow.session = NULL;
    if (dial_udp_send_waiting(udp))
        close_udp(udp);
}

static const struct usher_session_ops ops = {.datagram = dial_udp_take_datagram, .finished = finished, .ended = ended};

static const struct dial_kind kind = {
    .ops = &ops, .reach = reach, .expired = expired, .abandon = abandon, .inside = inside};

struct dial_flow *dial_udp_new(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    struct dial_flow *flow = dial_flow_add(dial, sizeof(struct dial_udp), &kind, session, open);
    struct dial_udp *udp = (struct dial_udp *)flow;
    udp->watch.fd = -1;
    udp->brings_trains = true;
    return flow;
}
