// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/socks/connect.h"

#include "edge/listen/socks/reply.h"
#include "edge/relay/reason.h"
#include "edge/relay/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct connection {
    struct relay_stream stream; // first
    struct endpoint client;
    uint8_t version;
    char host[]; // "": the address counts
};

static struct connection *connection_of(struct relay_flow *flow)
{
    return (struct connection *)flow;
}

static const struct endpoint *client_of(const struct relay_flow *flow)
{
    return &((const struct connection *)flow)->client;
}

static const char *host_of(const struct relay_flow *flow)
{
    const char *host = ((const struct connection *)flow)->host;
    return *host ? host : NULL;
}

static void abandon(struct relay_flow *flow)
{
    relay_stream_close((struct relay_stream *)flow, true);
}

static void opened(struct relay_flow *flow)
{
    const struct connection *connection = connection_of(flow);
    reply_granted(connection->stream.watch.fd, connection->version, NULL);
}

static void refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    struct connection *connection = connection_of(flow);
    reply_refused(connection->stream.watch.fd, connection->version, socks_outcome_of(word, text));
    relay_stream_close(&connection->stream, false);
}

void connect_init(struct socks *socks)
{
    socks->streams = (struct relay_kind){
        .relay = socks->front.relay,
        .expired = relay_stream_expired,
        .abandon = abandon,
        .inside = client_of,
        .host = host_of,
        .opened = opened,
        .refused = refused,
    };
}

void connect_want(const struct opening *opening, struct want *out)
{
    const struct connection *connection = container_of(opening, struct connection, stream.flow.opening);
    const struct endpoint *far = &connection->stream.flow.outside;
    *out = (struct want){
        .open = {.protocol = USHER_TCP, .addr = far->addr, .port = far->port, .by_name = far->addr.version != 4},
        .origin = connection->client,
        .ops = &relay_stream_ops,
    };
    strcpy(out->open.host, connection->host);
}

// One that was held has its socket already, and what that said was not heard: there may be bytes.
void connect_placed(struct opening *opening)
{
    struct connection *connection = container_of(opening, struct connection, stream.flow.opening);
    relay_flow_rest(&connection->stream.flow);
    if (connection->stream.flow.connected)
        relay_stream_begin(&connection->stream, EPOLLIN);
}

void connect_refused(struct opening *opening, enum usher_word word, const char *text)
{
    refused(container_of(opening, struct relay_flow, opening), word, text);
}

void connect_begin(struct socks *socks, int fd, const struct endpoint *client, const struct socks_request *request)
{
    const struct socks_target *target = &request->target;
    if (socks_is_full(socks) || target->port == 0) {
        reply_refused(fd, request->version, SOCKS_FAILED);
        close(fd);
        return;
    }
    const struct usher_open open = {.protocol = USHER_TCP, .addr = target->addr, .port = target->port};
    size_t host = strlen(target->host) + 1;
    struct connection *connection =
        (struct connection *)relay_stream_add(&socks->streams, sizeof *connection + host, &open);
    connection->client = *client;
    connection->version = request->version;
    memcpy(connection->host, target->host, host);
    edge_open(&socks->front.edge, &connection->stream.flow.opening);
    if (relay_stream_join(&connection->stream, fd))
        return;
    relay_flow_reset(&connection->stream.flow, errno);
    relay_stream_close(&connection->stream, true);
}
