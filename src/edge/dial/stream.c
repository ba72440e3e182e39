// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes between a connected socket and its session. Reading is on demand: the engine asks by `fill` while there is credit
// and room on the link, and recv writes straight into the record. Writing is at once for what may be the end of
// a burst, else gathered for a few records or until the turn ends.
//
// The socket is watched for edges, so what it said last is remembered: `readable` until a read finds nothing more,
// `blocked` from a write that did not fit until there is room. Nothing spins on what nobody takes, and a far end that
// breaks the connection is heard at any time.
#include "edge/dial/tcp.h"

#include "os/socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PARTS_MAX = 32, // of one sendmsg
    // Bytes to gather before a write. Eight full records make one large segmentation batch each way down the stack.
    GATHER_BYTES = 8 * USHER_SEND_MAX,
    SPARE_QUEUES = 16, // empty queues that are kept for the next flow that needs one
};

// The queue

static struct dial_queue *queue_of(struct dial_tcp *tcp)
{
    struct dial *dial = tcp->flow.dial;
    if (tcp->flow.queue)
        return tcp->flow.queue;
    struct list *spare = list_pop_front(&dial->spare);
    if (spare) {
        tcp->flow.queue = container_of(spare, struct dial_queue, link);
        dial->spare_count--;
    } else {
        tcp->flow.queue = queue_new();
    }
    tcp->flow.queue->owner = tcp;
    return tcp->flow.queue;
}

static void drop_queue(struct dial_tcp *tcp)
{
    struct dial *dial = tcp->flow.dial;
    struct dial_queue *queue = tcp->flow.queue;
    if (!queue)
        return;
    tcp->flow.queue = NULL;
    queue_clear(queue);
    list_remove(&queue->link);
    if (dial->spare_count >= SPARE_QUEUES) {
        queue_free(queue);
        return;
    }
    list_push_front(&dial->spare, &queue->link);
    dial->spare_count++;
}

static void consumed(struct dial_tcp *tcp, size_t len)
{
    if (tcp->flow.session)
        usher_session_consumed(tcp->flow.session, len);
    else
        dial_flow_wait(&tcp->flow, WAIT_DRAIN); // progress
}

// Ends

void stream_close(struct dial_tcp *tcp, bool hard)
{
    if (tcp->connected)
        drop_queue(tcp);
    dial_flow_retire(&tcp->flow);
    if (tcp->watch.fd < 0)
        return;
    poller_forget(tcp->flow.dial->config.poller, &tcp->watch);
    if (hard)
        socket_close_reset(tcp->watch.fd);
    else
        close(tcp->watch.fd);
}

static void lose(struct dial_tcp *tcp, int error)
{
    dial_flow_reset_errno(&tcp->flow, error);
    stream_close(tcp, true);
}

// A connection that the far end has broken. What it sent before is read first when the peer has credit for it: an answer
// often comes just before the reset that unread input causes.
static void break_off(struct dial_tcp *tcp, int error)
{
    struct usher_session *session = tcp->flow.session;
    drop_queue(tcp);
    if (!session || tcp->eof || tcp->deaf || usher_session_send_room(session) == 0) {
        lose(tcp, error);
        return;
    }
    tcp->broken = true;
    tcp->error = (short)error;
    tcp->readable = true;
    dial_flow_wait(&tcp->flow, WAIT_DRAIN);
    usher_session_ready(session);
}

static void shut_down(struct dial_tcp *tcp)
{
    shutdown(tcp->watch.fd, SHUT_WR);
    if (!tcp->flow.session)
        stream_close(tcp, false);
}

// From the peer to the socket

// A call that does not block is not interrupted either.
static bool is_full(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

// Writes what is queued, and then the end if that is due. The flow may be over when this returns.
static void flush(struct dial_tcp *tcp)
{
    struct dial_queue *queue = tcp->flow.queue;
    list_remove(&queue->link);
    tcp->blocked = false;
    while (!queue_is_empty(queue)) {
        struct iovec iov[PARTS_MAX];
        struct msghdr message = {.msg_iov = iov};
        message.msg_iovlen = (size_t)queue_parts(queue, iov, PARTS_MAX);
        ssize_t n = sendmsg(tcp->watch.fd, &message, MSG_NOSIGNAL);
        if (n < 0 && !is_full(errno)) {
            break_off(tcp, errno);
            return;
        }
        if (n < 0) {
            tcp->blocked = true;
            return;
        }
        queue_pop(queue, (size_t)n);
        consumed(tcp, (size_t)n);
    }
    drop_queue(tcp);
    if (tcp->finishing)
        shut_down(tcp);
}

void dial_tcp_flush(struct dial *dial)
{
    struct list *link;
    while ((link = list_pop_front(&dial->unflushed)))
        flush(container_of(link, struct dial_queue, link)->owner);
}

// A full record is likely to be followed by more.
static bool may_gather(const struct dial_tcp *tcp, const struct slice *slice)
{
    return slice->len >= USHER_SEND_MAX && (!tcp->flow.queue || tcp->flow.queue->bytes + slice->len < GATHER_BYTES);
}

static void flush_later(struct dial_tcp *tcp)
{
    struct dial *dial = tcp->flow.dial;
    if (list_is_linked(&tcp->flow.queue->link))
        return;
    list_push_back(&dial->unflushed, &tcp->flow.queue->link);
    edge_wake(&dial->edge);
}

// Writes without queueing; what the socket does not take is left in `slice`. False when the connection is broken.
static bool write_through(struct dial_tcp *tcp, struct slice *slice)
{
    ssize_t n = send(tcp->watch.fd, slice->bytes, slice->len, MSG_NOSIGNAL);
    if (n < 0 && !is_full(errno)) {
        break_off(tcp, errno);
        return false;
    }
    if (n <= 0)
        return true;
    slice->bytes += n;
    slice->len -= (uint32_t)n;
    consumed(tcp, (size_t)n);
    return true;
}

void stream_data(void *owner, const struct slice *slice)
{
    struct dial_tcp *tcp = owner;
    struct slice rest = *slice;
    if (tcp->broken) {
        consumed(tcp, slice->len);
        return;
    }
    bool gathers = may_gather(tcp, slice);
    if (!tcp->flow.queue && !gathers) {
        if (!write_through(tcp, &rest) || rest.len == 0)
            return;
        tcp->blocked = true;
    }
    queue_push(queue_of(tcp), &rest);
    if (tcp->blocked)
        return;
    if (gathers)
        flush_later(tcp);
    else
        flush(tcp);
}

void stream_finished(void *owner)
{
    struct dial_tcp *tcp = owner;
    tcp->finishing = true;
    if (tcp->broken)
        return;
    if (!tcp->flow.queue)
        shut_down(tcp);
    else if (!tcp->blocked)
        flush(tcp);
}

// From the socket to the peer

void stream_deafened(void *owner)
{
    struct dial_tcp *tcp = owner;
    tcp->deaf = true;
}

// Nothing more is there for now.
static void drained(struct dial_tcp *tcp)
{
    tcp->readable = false;
    tcp->insistent = false;
}

size_t stream_fill(void *owner, uint8_t *room, size_t size)
{
    struct dial_tcp *tcp = owner;
    if (!tcp->readable)
        return 0;
    ssize_t n = recv(tcp->watch.fd, room, size, 0);
    if (n > 0) {
        // Less than there was room for is all there was; no need to hear EAGAIN for it. Not so when the end, of which
        // no edge will tell again, or an urgent mark, at which a read stops, is behind it.
        if ((size_t)n < size && !tcp->insistent && !tcp->broken)
            drained(tcp);
        return (size_t)n;
    }
    if (tcp->broken) {
        lose(tcp, tcp->error);
    } else if (n == 0) {
        tcp->eof = true;
        drained(tcp);
        usher_session_finish(tcp->flow.session);
    } else if (is_full(errno)) {
        drained(tcp);
    } else {
        lose(tcp, errno);
    }
    return 0;
}

static void on_readable(struct dial_tcp *tcp, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLPRI))
        tcp->insistent = true;
    if (tcp->readable || tcp->eof || tcp->deaf || !tcp->flow.session)
        return;
    tcp->readable = true;
    usher_session_ready(tcp->flow.session);
}

void stream_event(struct dial_tcp *tcp, uint32_t events)
{
    if (tcp->broken)
        return;
    if (events & EPOLLERR) {
        int error = socket_error(tcp->watch.fd);
        break_off(tcp, error != 0 ? error : ECONNRESET);
        return;
    }
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP))
        on_readable(tcp, events);
    if ((events & EPOLLOUT) && tcp->blocked)
        flush(tcp);
}
