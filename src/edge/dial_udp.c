// SPDX-License-Identifier: GPL-2.0-or-later
// UDP associations. Opened by an IPv4 address: one unconnected socket for one inside endpoint towards any number of
// destinations, each judged. Opened by name or IPv6: one connected socket, one far end. Nothing is queued here: what
// the socket does not take is lost, as on any network.
#include "edge/dial_internal.h"
#include "edge/dial_reason.h"
#include "edge/dial_remotes.h"
#include "os/socket.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DNS_PORT = 53 };

struct dial_udp {
    struct dial_flow flow;       // first
    struct poller_watch watch;   // fd -1: none yet
    uint16_t last_port;          // that was sent to
    struct endpoint inside;      // where the latest datagram came from
    struct dial_remotes remotes; // of an unconnected socket
};

static void close_udp(struct dial_udp *udp)
{
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

// Empties the error queue. False when the association has ended over it.
static bool take_errors(struct dial_udp *udp)
{
    int error;
    while ((error = queued_error(udp->watch.fd)) != 0) {
        if (!is_fatal(udp, error))
            continue;
        dial_flow_reset_errno(&udp->flow, error);
        close_udp(udp);
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

static void deliver(struct dial_udp *udp, const struct sockaddr_storage *sa, size_t len)
{
    struct usher_datagram datagram = {.bytes = udp->flow.dial->room, .len = len};
    struct endpoint from;
    if (!endpoint_from_sockaddr(&from, (const struct sockaddr *)sa))
        return;
    if (!udp->flow.by_name) {
        if (!remotes_let_in(&udp->remotes, &from.addr))
            return;
        datagram.from = from;
        datagram.to = udp->inside;
    }
    usher_session_datagram(udp->flow.session, &datagram);
    answered(udp, from.port);
}

static void read_all(struct dial_udp *udp)
{
    uint8_t *room = udp->flow.dial->room;
    for (int i = 0; i < DATAGRAM_BUDGET; i++) {
        struct sockaddr_storage sa;
        socklen_t sa_len = sizeof sa;
        ssize_t n = recvfrom(udp->watch.fd, room, DATAGRAM_ROOM, 0, (struct sockaddr *)&sa, &sa_len);
        if (n >= 0)
            deliver(udp, &sa, (size_t)n);
        else if (errno == EAGAIN || errno == EWOULDBLOCK || !take_errors(udp))
            return;
    }
}

// Told as long as there is something to read, so a socket that has used up its budget has another turn.
static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct dial_udp *udp = container_of(watch, struct dial_udp, watch);
    if (!(events & EPOLLERR) || take_errors(udp))
        read_all(udp);
}

// From the peer to the socket

static bool may_send(struct dial_udp *udp, const struct endpoint *to)
{
    struct dial *dial = udp->flow.dial;
    const struct remote *known = remotes_find(&udp->remotes, to);
    bool allowed = known ? known->allowed
                         : policy_judge(dial->config.policy, USHER_UDP, NULL, &to->addr, to->port) == POLICY_ALLOWED;
    if (!known)
        remotes_add(&udp->remotes, to, allowed);
    dial->counters.datagrams_denied += !allowed;
    return allowed;
}

static ssize_t send_to(const struct dial_udp *udp, const struct usher_datagram *datagram)
{
    struct sockaddr_storage sa;
    if (udp->flow.by_name)
        return send(udp->watch.fd, datagram->bytes, datagram->len, MSG_NOSIGNAL);
    socklen_t len = endpoint_to_sockaddr(&datagram->to, &sa);
    return sendto(udp->watch.fd, datagram->bytes, datagram->len, MSG_NOSIGNAL, (struct sockaddr *)&sa, len);
}

static void datagram(void *owner, const struct usher_datagram *datagram)
{
    struct dial_udp *udp = owner;
    if (udp->flow.closing)
        return;
    if (!udp->flow.by_name && !may_send(udp, &datagram->to))
        return;
    udp->inside = datagram->from;
    udp->last_port = udp->flow.by_name ? udp->flow.outside.port : datagram->to.port;
    dial_flow_wait(&udp->flow, WAIT_UDP);
    if (send_to(udp, datagram) >= 0 || errno == EAGAIN)
        return;
    // The failure may be an earlier datagram's, told now; then this one has not been sent.
    int error = errno;
    if (!take_errors(udp) || send_to(udp, datagram) >= 0 || !is_fatal(udp, error))
        return;
    dial_flow_reset_errno(&udp->flow, error);
    close_udp(udp);
}

// The life

static bool open_socket(struct dial_udp *udp)
{
    struct dial_flow *flow = &udp->flow;
    int fd = socket_datagram(flow->outside.addr.version);
    if (fd < 0)
        return false;
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
    close_udp(udp);
}

static const struct usher_session_ops ops = {.datagram = datagram, .finished = finished, .ended = ended};

static const struct dial_kind kind = {
    .ops = &ops, .reach = reach, .expired = expired, .abandon = abandon, .inside = inside};

struct dial_flow *dial_udp_new(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    struct dial_flow *flow = dial_flow_add(dial, sizeof(struct dial_udp), &kind, session, open);
    ((struct dial_udp *)flow)->watch.fd = -1;
    return flow;
}
