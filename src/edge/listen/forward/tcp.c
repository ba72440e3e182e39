// SPDX-License-Identifier: GPL-2.0-or-later
// A connection is joined to its flow at once, while the session is still waited for: an application that gives up is
// noticed, and what it sends waits in its socket.
#include "edge/listen/forward/internal.h"
#include "edge/relay/stream.h"
#include "os/socket/socket.h"

struct forward_stream {
    struct relay_stream stream; // first
    struct forward_port *port;
    struct endpoint inside;
};

const struct forward_port *forward_tcp_port(const struct relay_flow *flow)
{
    return ((const struct forward_stream *)flow)->port;
}

static const struct endpoint *inside(const struct relay_flow *flow)
{
    return &((const struct forward_stream *)flow)->inside;
}

static const char *host(const struct relay_flow *flow)
{
    const struct usher_open *to = &forward_tcp_port(flow)->to;
    return to->addr.version ? NULL : to->host;
}

static void abandon(struct relay_flow *flow)
{
    relay_stream_close((struct relay_stream *)flow, true);
}

static void refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    const struct forward_stream *stream = (const struct forward_stream *)flow;
    forward_tell(stream->port, &stream->inside, word, text);
    abandon(flow);
}

void forward_tcp_placed(struct relay_flow *flow)
{
    relay_stream_placed((struct relay_stream *)flow);
}

static void accepted(void *owner, int fd, const struct endpoint *peer)
{
    struct forward_port *port = owner;
    struct forward *forward = port->forward;
    if (!forward_has_room(forward)) {
        socket_close_reset(fd);
        return;
    }
    struct forward_stream *stream = (struct forward_stream *)relay_stream_add(&forward->tcp, sizeof *stream, &port->to);
    stream->port = port;
    stream->inside = *peer;
    if (relay_stream_join(&stream->stream, fd))
        edge_open(&forward->front.edge, &stream->stream.flow.opening);
    else
        abandon(&stream->stream.flow);
}

void forward_tcp_init(struct forward *forward)
{
    forward->tcp = (struct relay_kind){.relay = forward->front.relay,
                                       .expired = relay_stream_expired,
                                       .abandon = abandon,
                                       .inside = inside,
                                       .host = host,
                                       .refused = refused};
}

bool forward_tcp_begin(struct forward_port *port, int fd)
{
    port->listener = listener_new(port->forward->config.loop, fd, accepted, port);
    return true;
}
