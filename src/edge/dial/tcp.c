// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a TCP flow: connect, answer, end. One address is connected to with the flow's own watch; several go
// through a race. After the session has closed in order the flow stays until its last bytes are written.
#include "edge/dial/tcp.h"

#include "os/socket.h"

#include <errno.h>

static void close_tcp(struct dial_tcp *tcp, bool hard)
{
    if (tcp->racing)
        race_cancel(tcp->flow.race);
    stream_close(tcp, hard);
}

static void refuse(struct dial_tcp *tcp, int error)
{
    dial_flow_refuse_errno(&tcp->flow, error);
    close_tcp(tcp, false);
}

static void set_options(int fd)
{
    const int on = 1;
    socket_set_nodelay(fd);
    // Urgent bytes stay in their place in the stream, else they would be lost (RFC 6093). Set when urgent data shows it
    // could come too late: a read that has begun jumps over the byte.
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

static void established(struct dial_tcp *tcp)
{
    dial_flow_wait_stop(&tcp->flow);
    tcp->connected = true;
    dial_flow_accept(&tcp->flow);
}

// Room to write without an error is a connection.
static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct dial_tcp *tcp = container_of(watch, struct dial_tcp, watch);
    if (!tcp->connected && (events & (EPOLLERR | EPOLLHUP))) {
        int error = socket_error(watch->fd);
        refuse(tcp, error != 0 ? error : ECONNRESET);
        return;
    }
    if (!tcp->connected && (events & EPOLLOUT))
        established(tcp);
    if (tcp->connected)
        stream_event(tcp, events);
}

static void reach_one(struct dial_tcp *tcp)
{
    struct endpoint *to = &tcp->flow.outside;
    int fd = tcp->watch.fd = socket_stream(to->addr.version);
    if (fd < 0) {
        refuse(tcp, errno);
        return;
    }
    set_options(fd);
    // Only then watched: a socket that is nowhere yet counts as hung up.
    if (socket_connect(fd, to) < 0 ||
        !poller_add(tcp->flow.dial->config.poller, &tcp->watch, fd, STREAM_EVENTS | EPOLLET, on_event))
        refuse(tcp, errno);
    else
        dial_flow_wait(&tcp->flow, WAIT_CONNECT);
}

static void race_over(void *owner, const struct race_end *end)
{
    struct dial_tcp *tcp = owner;
    tcp->racing = false;
    tcp->flow.race = NULL;
    tcp->flow.outside = end->to;
    if (end->fd < 0) {
        refuse(tcp, end->error);
        return;
    }
    set_options(end->fd);
    if (poller_add(tcp->flow.dial->config.poller, &tcp->watch, end->fd, STREAM_EVENTS | EPOLLET, on_event))
        established(tcp);
    else
        refuse(tcp, errno);
}

static void reach(struct dial_flow *flow, const struct address *addrs, size_t count)
{
    struct dial_tcp *tcp = (struct dial_tcp *)flow;
    struct dial *dial = flow->dial;
    flow->outside.addr = addrs[0];
    if (count == 1) {
        reach_one(tcp);
        return;
    }
    struct endpoint to[RESOLVER_ADDRESSES_MAX];
    for (size_t i = 0; i < count; i++)
        to[i] = (struct endpoint){.addr = addrs[i], .port = flow->outside.port};
    const struct race_config config = {.to = to, .count = count, .timeout_ms = dial->config.connect_timeout_ms};
    tcp->racing = true;
    flow->race = race_new(dial->loop, &config, race_over, tcp);
}

static void expired(struct dial_flow *flow)
{
    struct dial_tcp *tcp = (struct dial_tcp *)flow;
    if (flow->connecting) {
        refuse(tcp, ETIMEDOUT);
        return;
    }
    // Draining, or the rest of a broken connection that the peer does not take.
    dial_flow_reset_errno(flow, tcp->broken ? tcp->error : ETIMEDOUT);
    close_tcp(tcp, true);
}

static void abandon(struct dial_flow *flow)
{
    close_tcp((struct dial_tcp *)flow, true);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct dial_tcp *tcp = owner;
    (void)word;
    (void)text;
    tcp->flow.session = NULL;
    if (ending != USHER_ENDED_CLOSED || !tcp->connected || tcp->broken) {
        close_tcp(tcp, true);
    } else if (!tcp->flow.queue) {
        close_tcp(tcp, false);
    } else {
        tcp->finishing = true;
        dial_flow_wait(&tcp->flow, WAIT_DRAIN);
    }
}

static const struct usher_session_ops ops = {
    .fill = stream_fill,
    .data = stream_data,
    .finished = stream_finished,
    .stop_sending = stream_deafened,
    .ended = ended,
};

static const struct dial_kind kind = {.ops = &ops, .reach = reach, .expired = expired, .abandon = abandon};

struct dial_flow *dial_tcp_new(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    struct dial_flow *flow = dial_flow_add(dial, sizeof(struct dial_tcp), &kind, session, open);
    ((struct dial_tcp *)flow)->watch.fd = -1;
    return flow;
}
