// SPDX-License-Identifier: GPL-2.0-or-later
// How a TCP connection is made: one address is connected to with the stream's own watch, several race.
#include "edge/dial/internal.h"
#include "edge/relay/stream.h"
#include "os/log.h"
#include "os/socket/race.h"

#include <errno.h>

enum {
    CROWD_MS = 100,
    CROWD_TOLD_MS = 60 * 1000,
};

static void close_tcp(struct relay_stream *stream, bool hard)
{
    dial_lookup_cancel(&stream->flow);
    if (stream->flow.phase == DIAL_RACING)
        race_cancel(stream->flow.making);
    relay_stream_close(stream, hard);
}

static void refuse(struct relay_stream *stream, int error)
{
    dial_refuse_errno(&stream->flow, error);
    close_tcp(stream, false);
}

// Room to write without an error is a connection.
static void on_connecting(struct poller_watch *watch, uint32_t events)
{
    struct relay_stream *stream = container_of(watch, struct relay_stream, watch);
    if (events & (EPOLLERR | EPOLLHUP)) {
        int error = socket_error(watch->fd);
        refuse(stream, error != 0 ? error : ECONNRESET);
    } else if (events & EPOLLOUT) {
        relay_flow_rest(&stream->flow);
        dial_accept(&stream->flow);
        relay_stream_begin(stream, events);
    }
}

static char *asked(struct relay_flow *flow)
{
    return (char *)flow + sizeof(struct relay_stream);
}

static const char *asked_for(const struct relay_flow *flow)
{
    return (const char *)flow + sizeof(struct relay_stream);
}

static void note_crowd(struct dial *dial, const struct endpoint *to, uint64_t now)
{
    char text[ENDPOINT_TEXT_SIZE];
    dial->crowded = *to;
    dial->crowded_at = now;
    if (dial->crowded_told && now - dial->crowded_told < CROWD_TOLD_MS)
        return;
    dial->crowded_told = now;
    log_warning("no port is left to connect to %s from: so many connections lead there, or did a minute ago",
                endpoint_text(to, text));
}

// As socket_connect. The kernel searches all ports before it says that none is left, some milliseconds: who has just heard that
// hears the same for a while without a search.
static int connect_socket(struct dial *dial, int fd, const struct endpoint *to)
{
    uint64_t now = uv_now(dial->front.relay->config.loop) + 1;
    if (dial->crowded_at && now - dial->crowded_at < CROWD_MS && endpoint_equal(&dial->crowded, to)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int result = socket_connect(fd, to);
    if (result < 0 && errno == EADDRNOTAVAIL) {
        note_crowd(dial, to, now);
        errno = EADDRNOTAVAIL;
    }
    return result;
}

static void connect_to(struct relay_stream *stream)
{
    struct relay_flow *flow = &stream->flow;
    struct dial *dial = dial_of(flow);
    int fd = stream->watch.fd = dial_marked(dial, socket_stream(flow->outside.addr.version));
    if (fd < 0) {
        refuse(stream, errno);
        return;
    }
    relay_stream_prepare(fd);
    const struct address *from = dial_source(dial, flow->outside.addr.version);
    // Only then watched: a socket that is nowhere yet counts as hung up.
    if ((from && !socket_bind_stream(fd, from)) || connect_socket(dial, fd, &flow->outside) < 0 ||
        !poller_add(dial->config.poller, &stream->watch, fd, RELAY_STREAM_EVENTS | EPOLLET, on_connecting))
        refuse(stream, errno);
    else
        relay_flow_wait(flow, RELAY_WAIT_CONNECT);
}

static void lose(struct relay_stream *stream, int fd)
{
    socket_close_reset(fd);
    dial_refuse(&stream->flow, USHER_DENIED, "not permitted");
    close_tcp(stream, false);
}

static void race_over(void *owner, const struct race_end *end)
{
    struct relay_stream *stream = owner;
    struct relay_flow *flow = &stream->flow;
    flow->phase = DIAL_CONNECTING;
    flow->making = NULL;
    flow->outside = end->to;
    if (end->fd < 0)
        refuse(stream, end->error);
    else if (!dial_judge_anew(flow, asked(flow))) // any more: it was when the race began
        lose(stream, end->fd);
    else if (!relay_stream_join(stream, end->fd))
        refuse(stream, errno);
    else
        dial_accept(flow);
}

static void run_race(struct relay_stream *stream, const struct address *addrs, size_t count)
{
    struct relay_flow *flow = &stream->flow;
    const struct dial *dial = dial_of(flow);
    struct endpoint to[RESOLVER_ADDRESSES_MAX];
    for (size_t i = 0; i < count; i++)
        to[i] = (struct endpoint){.addr = addrs[i], .port = flow->outside.port};
    const struct race_config config = {
        .to = to,
        .count = count,
        .timeout_ms = dial->config.connect_timeout_ms,
        .mark = dial->config.mark,
        .source = dial->config.source,
    };
    flow->phase = DIAL_RACING;
    flow->making = race_new(flow->kind->relay->config.loop, &config, race_over, stream);
}

static void reach(struct relay_flow *flow, const struct address *addrs, size_t count)
{
    struct relay_stream *stream = (struct relay_stream *)flow;
    flow->outside.addr = addrs[0];
    if (count == 1)
        connect_to(stream);
    else
        run_race(stream, addrs, count);
}

static void expired(struct relay_flow *flow)
{
    if (flow->pending)
        refuse((struct relay_stream *)flow, ETIMEDOUT);
    else
        relay_stream_expired(flow);
}

static void abandon(struct relay_flow *flow)
{
    close_tcp((struct relay_stream *)flow, true);
}

void dial_tcp_init(struct dial *dial)
{
    dial->tcp = (struct relay_kind){
        .relay = dial->front.relay, .expired = expired, .abandon = abandon, .asked = asked_for, .state = dial_state};
}

void dial_tcp_open(struct dial *dial, struct usher_session *session, const struct usher_open *open)
{
    struct relay_stream *stream = relay_stream_add(&dial->tcp, sizeof *stream + dial_asked_size(dial, open), open);
    dial_asked_put(asked(&stream->flow), dial, open);
    usher_session_attach(session, &relay_stream_ops, stream);
    stream->flow.opening.session = session;
    dial_look_up(&stream->flow, open, reach);
}

bool dial_tcp_may_stay(struct relay_flow *flow)
{
    return (flow->pending && flow->phase == DIAL_RACING) || dial_judge_anew(flow, asked(flow));
}
