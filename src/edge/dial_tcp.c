// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a TCP flow: connect, answer, end. One address is connected to with the flow's own handle; several go
// through eyeballs. After the session has closed in order the flow stays until its last bytes are written.
#include "edge/dial_tcp.h"

#include "os/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void released(uv_handle_t *handle)
{
    free(handle->data);
}

void dial_tcp_close(struct dial_tcp *tcp, bool hard)
{
    if (tcp->eyeballs)
        eyeballs_cancel(tcp->eyeballs);
    stream_drop_queue(tcp);
    dial_flow_retire(&tcp->flow);
    if (!tcp->polled) {
        dial_flow_bury(&tcp->flow);
        return;
    }
    // The handle lets go of the descriptor at once, so its number may be used again.
    uv_close((uv_handle_t *)&tcp->poll, released);
    if (hard)
        socket_close_reset(tcp->fd);
    else
        close(tcp->fd);
}

static void refuse(struct dial_tcp *tcp, int error)
{
    dial_flow_refuse_errno(&tcp->flow, error);
    dial_tcp_close(tcp, false);
}

static void adopt(struct dial_tcp *tcp, int fd)
{
    const int on = 1;
    socket_set_nodelay(fd);
    // Urgent bytes stay in their place in the stream, else they would be lost (RFC 6093).
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    tcp->fd = fd;
    uv_poll_init(tcp->flow.dial->loop, &tcp->poll, fd);
    tcp->poll.data = tcp;
    tcp->polled = true;
}

static void established(struct dial_tcp *tcp)
{
    dial_flow_wait_stop(&tcp->flow);
    tcp->connected = true;
    stream_watch(tcp);
    dial_flow_accept(&tcp->flow);
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
    struct dial_tcp *tcp = poll->data;
    int error = socket_error(tcp->fd);
    (void)status;
    (void)events;
    if (error != 0)
        refuse(tcp, error);
    else
        established(tcp);
}

static void reach_one(struct dial_tcp *tcp)
{
    struct endpoint *to = &tcp->flow.outside;
    int fd = socket_stream(to->addr.version);
    if (fd < 0) {
        refuse(tcp, errno);
        return;
    }
    adopt(tcp, fd);
    int status = socket_connect(fd, to);
    if (status < 0) {
        refuse(tcp, errno);
    } else if (status == 0) {
        established(tcp);
    } else {
        uv_poll_start(&tcp->poll, UV_WRITABLE, on_connect);
        dial_flow_wait(&tcp->flow, WAIT_CONNECT);
    }
}

static void eyeballs_came(void *owner, int fd, const struct endpoint *to, int error)
{
    struct dial_tcp *tcp = owner;
    tcp->eyeballs = NULL;
    tcp->flow.outside = *to;
    if (fd < 0) {
        refuse(tcp, error);
        return;
    }
    adopt(tcp, fd);
    established(tcp);
}

static void reach(struct dial_flow *flow, const struct address *addrs, size_t count)
{
    struct dial_tcp *tcp = (struct dial_tcp *)flow;
    flow->outside.addr = addrs[0];
    if (count == 1)
        reach_one(tcp);
    else
        tcp->eyeballs = eyeballs_new(flow->dial->loop, addrs, count, flow->outside.port,
                                     flow->dial->config.connect_timeout_ms, eyeballs_came, tcp);
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
    dial_tcp_close(tcp, true);
}

static void abandon(struct dial_flow *flow)
{
    dial_tcp_close((struct dial_tcp *)flow, true);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct dial_tcp *tcp = owner;
    (void)word;
    (void)text;
    tcp->flow.session = NULL;
    if (ending != USHER_ENDED_CLOSED || !tcp->connected || tcp->broken) {
        dial_tcp_close(tcp, true);
    } else if (!tcp->queue) {
        dial_tcp_close(tcp, false);
    } else {
        tcp->finishing = true;
        stream_watch(tcp);
        dial_flow_wait(&tcp->flow, WAIT_DRAIN);
    }
}

static const struct usher_session_ops ops = {
    .fill = stream_fill,
    .data = stream_data,
    .finished = stream_finished,
    .deafened = stream_deafened,
    .ended = ended,
};

static const struct dial_kind kind = {.ops = &ops, .reach = reach, .expired = expired, .abandon = abandon};

struct dial_flow *dial_tcp_new(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    struct dial_flow *flow = dial_flow_add(dial, sizeof(struct dial_tcp), &kind, session, open);
    ((struct dial_tcp *)flow)->fd = -1;
    return flow;
}
