// SPDX-License-Identifier: GPL-2.0-or-later
// From the peer to the socket. Each datagram is judged as it comes; those that go the same way then wait for each other
// until the end of the turn (train.h). Nothing else is queued here: what the socket does not take is lost, as on any
// network.
#include "edge/dial/udp.h"
#include "os/udp.h"

#include <errno.h>

static bool may_send(struct dial_udp *udp, const struct endpoint *to)
{
    struct dial *dial = udp->flow.dial;
    const struct judge *judge = dial->config.judge;
    const struct remote *known = remotes_find(&udp->remotes, to);
    bool allowed = known ? known->allowed : judge->address(judge, USHER_UDP, NULL, &to->addr, to->port);
    if (!known)
        remotes_add(&udp->remotes, to, allowed);
    dial->counters.datagrams_denied += !allowed;
    return allowed;
}

static bool transmit(const struct dial_udp *udp, const struct endpoint *to, const uint8_t *bytes, size_t len,
                     size_t piece)
{
    return udp_send(udp->watch.fd, udp->flow.by_name ? NULL : to, bytes, len, piece) || errno == EAGAIN;
}

// False when the association has ended over it.
static bool send_one(struct dial_udp *udp, const struct usher_datagram *datagram)
{
    if (transmit(udp, &datagram->to, datagram->bytes, datagram->len, datagram->len))
        return true;
    // The failure may be an earlier datagram's, told now; then this one has not been sent.
    int error = errno;
    if (!dial_udp_take_errors(udp))
        return false;
    return transmit(udp, &datagram->to, datagram->bytes, datagram->len, datagram->len) || !dial_udp_fail(udp, error);
}

// A path that takes no trains, or none of such pieces: they are above its MTU, or its device cannot do checksums
// (udp(7)). So it stays for as long as the association lasts.
static bool is_refusal(int error)
{
    return error == EINVAL || error == EMSGSIZE || error == EIO;
}

static bool send_whole(struct dial_udp *udp, const struct train *train)
{
    if (train->count == 1 || udp->refuses_trains)
        return false;
    if (transmit(udp, &train->to, train->bytes, train->len, train->piece))
        return true;
    udp->refuses_trains = is_refusal(errno);
    return false;
}

// What fails as a train may do better one by one, also when it was told an earlier datagram's failure.
static bool send_train(struct dial_udp *udp, const struct train *train)
{
    if (send_whole(udp, train))
        return true;
    for (unsigned i = 0; i < train->count; i++) {
        const struct usher_datagram piece = train_piece(train, i);
        if (!send_one(udp, &piece))
            return false;
    }
    return true;
}

bool dial_udp_send_waiting(struct dial_udp *udp)
{
    struct train *train = &udp->flow.dial->train;
    if (train->owner != udp)
        return true;
    bool goes_on = send_train(udp, train);
    train_clear(train);
    return goes_on;
}

void dial_udp_flush(struct dial *dial)
{
    if (dial->train.owner)
        dial_udp_send_waiting(dial->train.owner);
}

// Until the end of the turn, which must come even if this one has passed the point already.
static bool wait_for_more(struct dial_udp *udp, const struct usher_datagram *datagram)
{
    struct dial *dial = udp->flow.dial;
    bool waits = dial->config.udp_offload && train_join(&dial->train, udp, datagram);
    if (waits && dial->train.count == 1)
        edge_wake(&dial->edge);
    return waits;
}

void dial_udp_take_datagram(void *owner, const struct usher_datagram *datagram)
{
    struct dial_udp *udp = owner;
    struct dial *dial = udp->flow.dial;
    if (udp->flow.closing)
        return;
    if (!udp->flow.by_name && !may_send(udp, &datagram->to))
        return;
    udp->inside = datagram->from;
    udp->last_port = udp->flow.by_name ? udp->flow.outside.port : datagram->to.port;
    dial_flow_wait(&udp->flow, WAIT_UDP);
    if (wait_for_more(udp, datagram))
        return;
    dial_udp_flush(dial);
    if (udp->watch.fd >= 0 && !wait_for_more(udp, datagram))
        send_one(udp, datagram);
}
