// SPDX-License-Identifier: GPL-2.0-or-later
// Judged one by one: each datagram that the peer sends, and, by the list of those it was sent to, each that answers.
#include "edge/relay/association.h"

#include "edge/relay/reason.h"
#include "os/socket/socket.h"

#include <errno.h>

enum { DNS_PORT = 53 };

static struct relay_association *association_of(struct relay_port *port)
{
    return container_of(port, struct relay_association, port);
}

// Ends

void relay_association_close(struct relay_association *association)
{
    remotes_fini(&association->remotes);
    relay_flow_retire(&association->flow);
    relay_port_close(&association->port);
}

// The address that it has been given is not this host's any more, which is how the kernel says so; it says the same of a
// datagram to port 0.
static bool has_lost_address(const struct relay_port *port, int error)
{
    struct endpoint own;
    return error == EINVAL && socket_local(port->watch.fd, &own) && !socket_may_bind(&own.addr);
}

// Words about the far end; others are about one datagram, its size say, or about this host.
static bool is_news(int error)
{
    enum usher_word word = reason_word(error);
    return word == USHER_REFUSED || word == USHER_UNREACHABLE || word == USHER_DENIED;
}

// Nobody who is refused all the time, a resolver's socket of one question say, is to be kept as long as one who talks.
static void rest(struct relay_association *association)
{
    relay_flow_wait(&association->flow, association->answered ? RELAY_WAIT_UDP : RELAY_WAIT_UDP_DNS);
}

// Says that the datagram to `to`, as the peer knows it, has not arrived. False when the peer heeds no such word.
static bool tell(struct relay_association *association, const struct endpoint *to, int error)
{
    struct usher_unreachable what = {.word = reason_word(error), .text = reason_what(error)};
    if (!association->flow.by_name) {
        what.from = association->inside;
        what.to = *to;
    }
    return usher_session_unreachable(association->flow.opening.session, &what);
}

// The same for a socket's far end. Of one that is not known, or not any more, there is nothing to be said.
static bool tell_of(struct relay_association *association, const struct endpoint *there, int error)
{
    struct endpoint to = *there;
    if (!association->flow.by_name && !remotes_let_in(&association->remotes, there, &to.addr))
        return false;
    return tell(association, &to, error);
}

static bool failed(struct relay_port *port, const struct endpoint *to, int error)
{
    struct relay_association *association = association_of(port);
    bool homeless = has_lost_address(port, error);
    if (homeless) {
        error = ENETUNREACH;
    } else if (!is_news(error) || association->flow.closing) {
        return true;
    } else if (tell_of(association, to, error)) {
        rest(association);
        return true;
    } else if (association->remotes.several) {
        return true;
    }
    relay_flow_reset(&association->flow, error);
    relay_association_close(association);
    return false;
}

void relay_association_expired(struct relay_flow *flow)
{
    struct relay_association *association = (struct relay_association *)flow;
    if (!flow->closing) // what still comes is for nobody
        poller_delete(flow->kind->relay->config.poller, &association->port.watch);
    if (relay_flow_idle(flow))
        relay_association_close(association);
}

const struct endpoint *relay_association_inside(const struct relay_flow *flow)
{
    return &((const struct relay_association *)flow)->inside;
}

// From the socket to the peer

static void received(struct relay_port *port, const struct udp_message *message)
{
    struct relay_association *association = association_of(port);
    struct relay_flow *flow = &association->flow;
    struct endpoint from = message->from; // as the peer knows it
    struct remote *remote = NULL;
    if (!flow->by_name && !(remote = remotes_let_in(&association->remotes, &message->from, &from.addr)))
        return;
    association->answered = true;
    size_t at = 0, taken = 0;
    do {
        struct usher_datagram datagram = {.bytes = message->bytes + at, .len = relay_port_piece(message, at)};
        if (!flow->by_name) {
            datagram.from = from;
            datagram.to = association->inside;
        }
        taken += usher_session_datagram(flow->opening.session, &datagram) ? datagram.len : 0;
        at += datagram.len;
    } while (at < message->len);
    if (remote && remote->visit)
        remote->visit->sent += taken;
    bool dns = message->from.port == DNS_PORT && association->last_port == DNS_PORT;
    relay_flow_wait(flow, dns ? RELAY_WAIT_UDP_DNS : RELAY_WAIT_UDP);
}

static const struct relay_port_ops port_ops = {.received = received, .failed = failed};

// From the peer to the socket

// For accounts: it goes there.
static void count_sent(struct relay_association *association, struct remote *remote,
                       const struct usher_datagram *datagram, const struct address *there)
{
    const struct relay_flow *flow = &association->flow;
    const struct relay_association_kind *kind = container_of(flow->kind, struct relay_association_kind, flow);
    if (remote->fresh)
        remote->visit = edge_visit(kind->edge, flow->opening.session, &datagram->to, there);
    remote->fresh = false;
    if (remote->visit)
        remote->visit->received += datagram->len;
}

static void datagram(void *owner, const struct usher_datagram *datagram)
{
    struct relay_association *association = owner;
    struct relay_flow *flow = &association->flow;
    const struct relay_association_kind *kind = container_of(flow->kind, struct relay_association_kind, flow);
    if (flow->closing)
        return;
    struct usher_datagram there = *datagram;
    struct remote *remote = NULL;
    association->inside = datagram->from;
    if (!flow->by_name && !(remote = remotes_may_send(&association->remotes, kind->rules, USHER_UDP,
                                                      &datagram->from.addr, &datagram->to, &there.to.addr))) {
        tell(association, &datagram->to, EACCES);
        return;
    }
    if (remote)
        count_sent(association, remote, datagram, &there.to.addr);
    association->last_port = flow->by_name ? flow->outside.port : datagram->to.port;
    relay_flow_wait(flow, RELAY_WAIT_UDP);
    relay_port_send(&association->port, &there);
}

// Half an association is none.
static void finished(void *owner)
{
    struct relay_association *association = owner;
    if (!association->flow.closing)
        usher_session_close(association->flow.opening.session);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct relay_association *association = owner;
    struct relay_flow *flow = &association->flow;
    (void)ending;
    (void)word;
    (void)text;
    flow->opening.session = NULL;
    if (relay_port_send_waiting(&association->port))
        flow->kind->abandon(flow);
}

const struct usher_session_ops relay_association_ops = {.datagram = datagram, .finished = finished, .ended = ended};

// The beginning

struct relay_association *relay_association_add(const struct relay_association_kind *kind, size_t size,
                                                const struct usher_open *open)
{
    struct relay_association *association = (struct relay_association *)relay_flow_add(&kind->flow, size, open);
    relay_port_init(&association->port, kind->flow.relay, &port_ops);
    return association;
}

bool relay_association_begin(struct relay_association *association, int fd, const struct address *from)
{
    struct relay_flow *flow = &association->flow;
    association->last_port = flow->outside.port;
    association->port.connected = flow->by_name;
    if (!relay_port_open(&association->port, fd))
        return false;
    relay_flow_wait(flow, RELAY_WAIT_UDP);
    // An address of its own now, for answers; the port is the kernel's random choice (RFC 6056).
    static const struct address any = {.version = 4};
    if (!from && !flow->by_name)
        from = &any;
    return (!from || socket_bind(fd, from)) && (!flow->by_name || socket_connect(fd, &flow->outside) == 0);
}
