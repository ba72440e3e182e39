// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes between a connected socket and its session. Reading is on demand: the engine asks by `fill` while there is credit
// and room on the link, and recv writes straight into the record. Writing is at once for what may be the end of
// a burst, else gathered for a few records or until the turn ends. After the session has closed in order the flow stays
// until its last bytes are written.
//
// The socket is watched for edges, so what it said last is remembered: `readable` until a read finds nothing more,
// `blocked` from a write that did not fit until there is room. Nothing spins on what nobody takes, and an end that
// breaks the connection is heard at any time.
#include "edge/relay/stream.h"

#include "edge/relay/queue.h"
#include "edge/relay/remainder.h"
#include "os/socket/socket.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(sizeof(struct relay_stream) <= 88, "ten thousand held flows stay small");

enum {
    PARTS_MAX = 32,                        // of one sendmsg
    FULL = CHUNK_SIZE - USHER_HEADER_SIZE, // what comes at once of a long record
    // Bytes to gather before a write. Eight full pieces make one large segmentation batch each way down the stack.
    GATHER_BYTES = 8 * FULL,
};

// The queue

static struct relay_queue *queue_of(struct relay_stream *stream)
{
    if (!stream->flow.queue) {
        stream->flow.queue = queue_take(&stream->flow.kind->relay->spares);
        stream->flow.queue->owner = stream;
    }
    return stream->flow.queue;
}

static void drop_queue(struct relay_stream *stream)
{
    struct relay_queue *queue = stream->flow.queue;
    if (!queue)
        return;
    stream->flow.queue = NULL;
    remainder_less(&stream->flow, queue->bytes);
    queue_give(&stream->flow.kind->relay->spares, queue);
}

static void consumed(struct relay_stream *stream, size_t len)
{
    if (stream->flow.opening.session) {
        usher_session_consumed(stream->flow.opening.session, len);
        return;
    }
    remainder_less(&stream->flow, len);
    relay_flow_wait(&stream->flow, RELAY_WAIT_DRAIN); // progress
}

// Ends

void relay_stream_close(struct relay_stream *stream, bool hard)
{
    if (stream->flow.connected && !stream->flow.broken)
        drop_queue(stream);
    relay_flow_retire(&stream->flow);
    if (stream->watch.fd < 0)
        return;
    poller_forget(stream->flow.kind->relay->config.poller, &stream->watch);
    if (hard)
        socket_close_reset(stream->watch.fd);
    else
        socket_close_in_order(stream->watch.fd);
}

static void lose(struct relay_stream *stream, int error)
{
    relay_flow_reset(&stream->flow, error);
    relay_stream_close(stream, true);
}

// An application that breaks off before it is answered stays, seen by nobody, until the answer comes: a session that ends
// before it begins is abuse to the peer, which ends the tunnel over a flood of them.
static void await_answer(struct relay_flow *flow, int error)
{
    flow->broken = true;
    flow->error = error;
}

// A connection that its end has broken. What it sent before is read first when the peer has credit for it: an answer
// often comes just before the reset that unread input causes.
static void break_off(struct relay_stream *stream, int error)
{
    struct relay_flow *flow = &stream->flow;
    drop_queue(stream);
    if (flow->pending && flow->opening.session && relay_flow_is_ours(flow)) {
        await_answer(flow, error);
        return;
    }
    if (!flow->opening.session || flow->pending || flow->eof || flow->peer_stopped ||
        usher_session_send_room(flow->opening.session) == 0) {
        lose(stream, error);
        return;
    }
    flow->broken = true;
    flow->error = error;
    flow->readable = true;
    relay_flow_wait(flow, RELAY_WAIT_DRAIN);
    usher_session_ready(flow->opening.session);
}

static void shut_down(struct relay_stream *stream)
{
    shutdown(stream->watch.fd, SHUT_WR);
    if (!stream->flow.opening.session)
        relay_stream_close(stream, false);
}

void relay_stream_expired(struct relay_flow *flow)
{
    lose((struct relay_stream *)flow, flow->broken ? flow->error : ETIMEDOUT);
}

// From the peer to the socket

// A call that does not block is not interrupted either.
static bool is_full(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

static void flush(struct relay_stream *stream)
{
    struct relay_queue *queue = stream->flow.queue;
    stream->flow.blocked = false;
    while (queue && !queue_is_empty(queue)) {
        struct iovec iov[PARTS_MAX];
        struct msghdr message = {.msg_iov = iov};
        message.msg_iovlen = (size_t)queue_parts(queue, iov, PARTS_MAX);
        ssize_t n = sendmsg(stream->watch.fd, &message, MSG_NOSIGNAL);
        if (n < 0 && !is_full(errno)) {
            break_off(stream, errno);
            return;
        }
        if (n < 0) {
            stream->flow.blocked = true;
            return;
        }
        queue_pop(queue, (size_t)n);
        consumed(stream, (size_t)n);
    }
    drop_queue(stream);
    if (stream->flow.finishing)
        shut_down(stream);
}

void relay_streams_flush(struct relay *relay)
{
    struct list *link;
    while ((link = list_pop_front(&relay->unflushed)))
        flush(container_of(link, struct relay_queue, link)->owner);
}

// A full piece is likely to be followed by more.
static bool may_gather(const struct relay_stream *stream, const struct slice *slice)
{
    const struct relay_queue *queue = stream->flow.queue;
    return slice->len >= FULL && (!queue || queue->bytes + slice->len < GATHER_BYTES);
}

static void flush_later(struct relay_stream *stream)
{
    struct relay *relay = stream->flow.kind->relay;
    if (list_is_linked(&stream->flow.queue->link))
        return;
    list_push_back(&relay->unflushed, &stream->flow.queue->link);
    relay->config.wake(relay->config.owner);
}

// Writes without queueing; what the socket does not take is left in `slice`. False when the connection is broken.
static bool write_through(struct relay_stream *stream, struct slice *slice)
{
    ssize_t n = send(stream->watch.fd, slice->bytes, slice->len, MSG_NOSIGNAL);
    if (n < 0 && !is_full(errno)) {
        break_off(stream, errno);
        return false;
    }
    if (n <= 0)
        return true;
    slice->bytes += n;
    slice->len -= (uint32_t)n;
    consumed(stream, (size_t)n);
    return true;
}

static void data(void *owner, const struct slice *slice)
{
    struct relay_stream *stream = owner;
    struct slice rest = *slice;
    if (stream->flow.broken) {
        consumed(stream, slice->len);
        return;
    }
    bool gathers = may_gather(stream, slice);
    if (!stream->flow.queue && !gathers) {
        if (!write_through(stream, &rest) || rest.len == 0)
            return;
        stream->flow.blocked = true;
    }
    queue_push(queue_of(stream), &rest);
    if (stream->flow.blocked)
        return;
    if (gathers)
        flush_later(stream);
    else
        flush(stream);
}

static void finished(void *owner)
{
    struct relay_stream *stream = owner;
    stream->flow.finishing = true;
    if (stream->flow.broken)
        return;
    if (!stream->flow.queue)
        shut_down(stream);
    else if (!stream->flow.blocked)
        flush(stream);
}

// From the socket to the peer

static void stopped(void *owner)
{
    struct relay_stream *stream = owner;
    stream->flow.peer_stopped = true;
}

// Nothing more is there for now.
static void drained(struct relay_stream *stream)
{
    stream->flow.readable = false;
    stream->flow.insistent = false;
}

static bool is_at_end(const struct relay_stream *stream)
{
    uint8_t byte;
    return recv(stream->watch.fd, &byte, 1, MSG_PEEK) == 0;
}

// An end needs no credit, so it is looked for where there is none left to read by. `len`: bytes that are about to be sent.
static bool finish_without_credit(struct relay_stream *stream, size_t len)
{
    struct relay_flow *flow = &stream->flow;
    if (!flow->insistent || flow->pending || usher_session_send_room(flow->opening.session) > len || !is_at_end(stream))
        return false;
    flow->eof = true;
    drained(stream);
    usher_session_finish_empty(flow->opening.session);
    return true;
}

static size_t fill(void *owner, uint8_t *room, size_t size)
{
    struct relay_stream *stream = owner;
    struct relay_flow *flow = &stream->flow;
    if (!flow->readable)
        return 0;
    ssize_t n = recv(stream->watch.fd, room, size, 0);
    if (n > 0) {
        // Less than there was room for is all there was; no need to hear EAGAIN for it. Not so when the end, of which
        // no edge will tell again, or an urgent mark, at which a read stops, is behind it.
        if ((size_t)n < size && !flow->insistent && !flow->broken)
            drained(stream);
        else if (!flow->broken)
            finish_without_credit(stream, (size_t)n);
        return (size_t)n;
    }
    if (flow->broken) {
        lose(stream, flow->error);
    } else if (n == 0) {
        flow->eof = true;
        drained(stream);
        usher_session_finish(flow->opening.session);
    } else if (is_full(errno)) {
        drained(stream);
    } else {
        lose(stream, errno);
    }
    return 0;
}

static void on_readable(struct relay_stream *stream, uint32_t events)
{
    struct relay_flow *flow = &stream->flow;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLPRI))
        flow->insistent = true;
    if (flow->eof || flow->peer_stopped || !flow->opening.session || finish_without_credit(stream, 0) || flow->readable)
        return;
    flow->readable = true;
    usher_session_ready(flow->opening.session);
}

static void on_events(struct relay_stream *stream, uint32_t events)
{
    if (stream->flow.broken)
        return;
    if (events & EPOLLERR) {
        int error = socket_error(stream->watch.fd);
        break_off(stream, error != 0 ? error : ECONNRESET);
        return;
    }
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP))
        on_readable(stream, events);
    if ((events & EPOLLOUT) && stream->flow.blocked)
        flush(stream);
}

static void on_ready(struct poller_watch *watch, uint32_t events)
{
    on_events(container_of(watch, struct relay_stream, watch), events);
}

// The session

static void opened(void *owner)
{
    struct relay_stream *stream = owner;
    relay_flow_answered(&stream->flow);
    if (stream->flow.broken)
        lose(stream, stream->flow.error);
    else if (stream->flow.kind->opened)
        stream->flow.kind->opened(&stream->flow);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct relay_stream *stream = owner;
    struct relay_flow *flow = &stream->flow;
    flow->opening.session = NULL;
    if (flow->pending && relay_flow_is_ours(flow) && !flow->broken) {
        flow->kind->refused(flow, word, text);
    } else if (ending != USHER_ENDED_CLOSED || !flow->connected || flow->broken) {
        flow->kind->abandon(flow);
    } else if (!flow->queue) {
        relay_stream_close(stream, false);
    } else {
        flow->finishing = true;
        relay_flow_wait(flow, RELAY_WAIT_DRAIN);
        remainder_begin(flow, flow->queue->bytes);
    }
}

const struct usher_session_ops relay_stream_ops = {
    .opened = opened,
    .fill = fill,
    .data = data,
    .finished = finished,
    .stop_sending = stopped,
    .ended = ended,
};

// The beginning

struct relay_stream *relay_stream_add(const struct relay_kind *kind, size_t size, const struct usher_open *open)
{
    struct relay_stream *stream = (struct relay_stream *)relay_flow_add(kind, size, open);
    stream->watch.fd = -1;
    return stream;
}

void relay_stream_prepare(int fd)
{
    const int on = 1;
    socket_set_nodelay(fd);
    socket_set_reset_on_close(fd);
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

void relay_stream_begin(struct relay_stream *stream, uint32_t events)
{
    stream->flow.connected = true;
    stream->watch.ready = on_ready;
    on_events(stream, events);
}

bool relay_stream_join(struct relay_stream *stream, int fd)
{
    relay_stream_prepare(fd);
    stream->flow.connected = true;
    return poller_add(stream->flow.kind->relay->config.poller, &stream->watch, fd, RELAY_STREAM_EVENTS | EPOLLET,
                      on_ready);
}

// Of what the socket said before there was a session no edge will tell again.
void relay_stream_placed(struct relay_stream *stream)
{
    relay_flow_rest(&stream->flow);
    stream->flow.readable = true;
    usher_session_ready(stream->flow.opening.session);
}
