// SPDX-License-Identifier: GPL-2.0-or-later
// UDP associations. Opened by an IPv4 address: one unconnected socket for one inside endpoint towards any number of
// destinations, each judged. Opened by name or IPv6: one connected socket, one far end.
#include "edge/dial/udp.h"

#include "os/socket.h"
#include "os/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

// Told as long as there is something to read, so a socket that has used up its budget has another turn.
static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct dial_udp *udp = container_of(watch, struct dial_udp, watch);
    if (!(events & EPOLLERR) || dial_udp_take_errors(udp))
        dial_udp_receive(udp);
}

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
        dial_udp_close(udp);
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
        dial_udp_close(udp);
}

static void abandon(struct dial_flow *flow)
{
    dial_udp_close((struct dial_udp *)flow);
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
        dial_udp_close(udp);
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
