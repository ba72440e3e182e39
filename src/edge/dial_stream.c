// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes between a connected socket and its session. Reading is on demand: the engine asks by `fill` while there is credit
// and room on the link, and recv writes straight into the record. Writing is at once for what may be the end of
// a burst, else gathered for a few records or until the turn ends.
#include "edge/dial_tcp.h"

#include "os/socket.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    PARTS_MAX = 32, // of one sendmsg
    // Bytes to gather before a write. Eight full records make one large segmentation batch each way down the stack.
    GATHER_BYTES = 8 * USHER_SEND_MAX,
    SPARE_QUEUES = 16, // empty queues that are kept for the next flow that needs one
};

// Far ends that break the connection must be noticed also while nothing is read or written. EPOLLERR and EPOLLHUP are
// reported as long as the descriptor is registered for something, and UV_PRIORITIZED is something that hardly ever
// comes. When it does (urgent data; libuv also reports it in place of a lone hang-up) it would come again at once, so
// the flow is not held until the next complete read.
void stream_watch(struct dial_tcp *tcp)
{
    int events = 0;
    bool over = tcp->eof && tcp->shut;
    if (tcp->flow.session && !tcp->paused && !tcp->eof && !tcp->deaf)
        events |= UV_READABLE;
    if (tcp->blocked)
        events |= UV_WRITABLE;
    if (!tcp->unheld)
        events |= UV_PRIORITIZED;
    if (over || tcp->broken)
        events = 0;
    if (events == tcp->events)
        return;
    tcp->events = (uint8_t)events;
    if (events)
        uv_poll_start(&tcp->poll, events, stream_event);
    else
        uv_poll_stop(&tcp->poll);
}

// The queue

static struct dial_queue *queue_of(struct dial_tcp *tcp)
{
    struct dial *dial = tcp->flow.dial;
    if (tcp->queue)
        return tcp->queue;
    struct list *spare = list_pop_front(&dial->spare);
    if (spare) {
        tcp->queue = container_of(spare, struct dial_queue, link);
        dial->spare_count--;
    } else {
        tcp->queue = queue_new();
    }
    tcp->queue->owner = tcp;
    return tcp->queue;
}

void stream_drop_queue(struct dial_tcp *tcp)
{
    struct dial *dial = tcp->flow.dial;
    struct dial_queue *queue = tcp->queue;
    if (!queue)
        return;
    tcp->queue = NULL;
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

static void lose(struct dial_tcp *tcp, int error)
{
    dial_flow_reset_errno(&tcp->flow, error);
    dial_tcp_close(tcp, true);
}

// A connection that the far end has broken. What it sent before is read first when the peer has credit for it: an answer
// often comes just before the reset that unread input causes.
static void break_off(struct dial_tcp *tcp, int error)
{
    struct usher_session *session = tcp->flow.session;
    stream_drop_queue(tcp);
    if (!session || tcp->eof || tcp->deaf || usher_session_queued_room(session) == 0) {
        lose(tcp, error);
        return;
    }
    tcp->broken = true;
    tcp->error = (short)error;
    tcp->readable = true;
    stream_watch(tcp);
    dial_flow_wait(&tcp->flow, WAIT_DRAIN);
    usher_session_ready(session);
}

static void shut_down(struct dial_tcp *tcp)
{
    shutdown(tcp->fd, SHUT_WR);
    tcp->shut = true;
    if (tcp->flow.session)
        stream_watch(tcp);
    else
        dial_tcp_close(tcp, false);
}

// From the peer to the socket

static bool is_full(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

void stream_flush(struct dial_tcp *tcp)
{
    struct dial_queue *queue = tcp->queue;
    list_remove(&queue->link);
    while (!queue_is_empty(queue)) {
        struct iovec iov[PARTS_MAX];
        struct msghdr message = {.msg_iov = iov};
        message.msg_iovlen = (size_t)queue_parts(queue, iov, PARTS_MAX);
        ssize_t n = sendmsg(tcp->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && !is_full(errno)) {
            break_off(tcp, errno);
            return;
        }
        if (n < 0) {
            tcp->blocked = true;
            stream_watch(tcp);
            return;
        }
        queue_pop(queue, (size_t)n);
        consumed(tcp, (size_t)n);
    }
    stream_drop_queue(tcp);
    tcp->blocked = false;
    if (tcp->finishing)
        shut_down(tcp);
    else
        stream_watch(tcp);
}

void dial_tcp_flush(struct dial *dial)
{
    struct list *link;
    while ((link = list_pop_front(&dial->unflushed)))
        stream_flush(container_of(link, struct dial_queue, link)->owner);
}

// A full record is likely to be followed by more.
static bool may_gather(const struct dial_tcp *tcp, const struct slice *slice)
{
    return slice->len >= USHER_SEND_MAX && (!tcp->queue || tcp->queue->bytes + slice->len < GATHER_BYTES);
}

static void flush_later(struct dial_tcp *tcp)
{
    struct dial *dial = tcp->flow.dial;
    if (list_is_linked(&tcp->queue->link))
        return;
    list_push_back(&dial->unflushed, &tcp->queue->link);
    dial->wake(dial->owner);
}

// Writes without queueing; what the socket does not take is left in `slice`. False when the connection is broken.
static bool write_through(struct dial_tcp *tcp, struct slice *slice)
{
    ssize_t n = send(tcp->fd, slice->bytes, slice->len, MSG_NOSIGNAL);
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
    if (!tcp->queue && !gathers) {
        if (!write_through(tcp, &rest) || rest.len == 0)
            return;
        tcp->blocked = true;
        stream_watch(tcp);
    }
    queue_push(queue_of(tcp), &rest);
    if (tcp->blocked)
        return;
    if (gathers)
        flush_later(tcp);
    else
        stream_flush(tcp);
}

void stream_finished(void *owner)
{
    struct dial_tcp *tcp = owner;
    tcp->finishing = true;
    if (tcp->broken)
        return;
    if (!tcp->queue)
        shut_down(tcp);
    else if (!tcp->blocked)
        stream_flush(tcp);
}

// From the socket to the peer

void stream_deafened(void *owner)
{
    struct dial_tcp *tcp = owner;
    tcp->deaf = true;
    stream_watch(tcp);
}

// Nothing more is there for now.
static void drained(struct dial_tcp *tcp)
{
    tcp->readable = false;
    tcp->paused = false;
    tcp->unheld = false;
    stream_watch(tcp);
}

size_t stream_fill(void *owner, uint8_t *room, size_t size)
{
    struct dial_tcp *tcp = owner;
    if (!tcp->readable)
        return 0;
    ssize_t n = recv(tcp->fd, room, size, 0);
    if (n > 0) {
        // Less than there was room for is all there was; no need to hear EAGAIN for it.
        if ((size_t)n < size && !tcp->broken)
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

// Readable a second time before it was read: nobody takes the bytes now, so watching would only spin.
static void on_readable(struct dial_tcp *tcp)
{
    tcp->paused = tcp->readable;
    if (tcp->readable)
        return;
    tcp->readable = true;
    usher_session_ready(tcp->flow.session);
}

void stream_event(uv_poll_t *poll, int status, int events)
{
    struct dial_tcp *tcp = poll->data;
    int error = 0;
    if (status < 0)
        tcp->events = 0; // EPOLLERR: libuv has stopped the handle
    if (status < 0 || (events & UV_PRIORITIZED))
        error = socket_error(tcp->fd);
    if (status < 0 || error != 0) {
        break_off(tcp, error != 0 ? error : ECONNRESET);
        return;
    }
    if (events & UV_PRIORITIZED)
        tcp->unheld = true;
    if (events & UV_READABLE)
        on_readable(tcp);
    stream_watch(tcp);
    if (events & UV_WRITABLE) {
        tcp->blocked = false;
        stream_flush(tcp);
    }
}
