// SPDX-License-Identifier: GPL-2.0-or-later
// A message is a datagram. That its taker has closed the socket is told at once, unlike with UDP, and closes the session;
// half of it is as good as all, for half an association is none.
#include "edge/listen/handed/internal.h"

#include "os/socket/pair.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES_BUDGET = 64 }; // read from one socket before others have their turn

static void close_socket(struct handed_flow *flow)
{
    struct poller_watch *watch = &flow->stream.watch;
    if (watch->fd < 0)
        return;
    poller_forget(handed_of(&flow->stream.flow)->config.poller, watch);
    close(watch->fd);
    watch->fd = -1;
}

// Its session is gone.
static void end(struct relay_flow *flow)
{
    handed_tell(handed_flow_of(flow), -1, ECONNABORTED, "the portal is going down");
    close_socket(handed_flow_of(flow));
    relay_flow_retire(flow);
}

static void refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    handed_tell_refused(handed_flow_of(flow), word, text);
    end(flow);
}

static void expired(struct relay_flow *flow)
{
    if (relay_flow_idle(flow))
        end(flow);
}

static void fail(struct relay_flow *flow, int error)
{
    handed_tell(handed_flow_of(flow), -1, error, strerror(error));
    relay_flow_reset(flow, error);
    end(flow);
}

// From the taker to the peer

static void taker_went(struct handed_flow *flow)
{
    struct usher_session *session = flow->stream.flow.opening.session;
    close_socket(flow);
    if (flow->stream.flow.closing)
        return;
    flow->stream.flow.closing = true;
    relay_flow_wait(&flow->stream.flow, RELAY_WAIT_DRAIN);
    usher_session_close(session);
}

static bool has_gone(int fd)
{
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
    return poll(&gone, 1, 0) > 0 && (gone.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void pass(struct handed_flow *flow, const uint8_t *bytes, size_t len)
{
    struct relay_flow *relayed = &flow->stream.flow;
    const struct usher_datagram datagram = {.from = flow->inside, .to = relayed->outside, .bytes = bytes, .len = len};
    if (!relayed->closing)
        relay_flow_wait(relayed, RELAY_WAIT_UDP);
    usher_session_datagram(relayed->opening.session, &datagram);
}

static void on_event(struct poller_watch *watch, uint32_t events)
{
    struct handed_flow *flow = container_of(watch, struct handed_flow, stream.watch);
    struct handed *handed = handed_of(&flow->stream.flow);
    (void)events;
    for (int i = 0; i < MESSAGES_BUDGET; i++) {
        ssize_t n = recv(watch->fd, handed->message, sizeof handed->message, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0 || (n == 0 && has_gone(watch->fd))) {
            taker_went(flow);
            return;
        }
        pass(flow, handed->message, (size_t)n);
    }
}

// From the peer to the taker

static void datagram(void *owner, const struct usher_datagram *datagram)
{
    struct handed_flow *flow = owner;
    struct relay_flow *relayed = &flow->stream.flow;
    // Behind an address there may be other ports; who asked for one wants no other.
    if (relayed->closing || (!relayed->by_name && !endpoint_equal(&datagram->from, &relayed->outside)))
        return;
    relay_flow_wait(relayed, RELAY_WAIT_UDP);
    ssize_t sent = send(flow->stream.watch.fd, datagram->bytes, datagram->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; // what finds no room is lost; that nobody is there is told by the poller
}

// The session

static void opened(void *owner)
{
    struct handed_flow *flow = owner;
    struct relay_flow *relayed = &flow->stream.flow;
    int ends[2];
    relay_flow_answered(relayed);
    if (relayed->broken) {
        relay_flow_reset(relayed, relayed->error);
        end(relayed);
        return;
    }
    if (!pair_messages(ends)) {
        fail(relayed, errno);
        return;
    }
    relay_flow_wait(relayed, RELAY_WAIT_UDP);
    if (poller_add(handed_of(relayed)->config.poller, &flow->stream.watch, ends[0], EPOLLIN | EPOLLRDHUP, on_event)) {
        handed_tell_opened(flow, ends[1]);
        return;
    }
    int error = errno;
    close(ends[1]);
    fail(relayed, error);
}

static void finished(void *owner)
{
    struct handed_flow *flow = owner;
    if (!flow->stream.flow.closing)
        usher_session_close(flow->stream.flow.opening.session);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct handed_flow *flow = owner;
    struct relay_flow *relayed = &flow->stream.flow;
    (void)ending;
    relayed->opening.session = NULL;
    if (relayed->pending && !relayed->broken)
        refused(relayed, word, text);
    else
        end(relayed);
}

const struct usher_session_ops handed_datagrams_ops = {
    .opened = opened, .datagram = datagram, .finished = finished, .ended = ended};

void handed_datagrams_init(struct handed *handed)
{
    handed->datagrams = (struct relay_kind){
        .relay = handed->front.relay,
        .expired = expired,
        .abandon = end,
        .inside = handed_inside,
        .host = handed_host,
        .refused = refused,
    };
}
