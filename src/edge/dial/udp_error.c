// SPDX-License-Identifier: GPL-2.0-or-later
// How a UDP association ends, and what ICMP says of its datagrams.
#include "edge/dial/reason.h"
#include "edge/dial/udp.h"
#include "os/socket.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

void dial_udp_close(struct dial_udp *udp)
{
    if (udp->flow.dial->train.owner == udp)
        train_clear(&udp->flow.dial->train);
    remotes_fini(&udp->remotes);
    dial_flow_retire(&udp->flow);
    if (udp->watch.fd < 0)
        return;
    poller_forget(udp->flow.dial->config.poller, &udp->watch);
    close(udp->watch.fd);
    udp->watch.fd = -1;
}

// ICMP errors concern the whole association only while it has one far end.
static bool is_fatal(const struct dial_udp *udp, int error)
{
    enum usher_word word = reason_word(error);
    return !udp->remotes.several && (word == USHER_REFUSED || word == USHER_UNREACHABLE);
}

// The errno of the oldest message in the error queue, 0 when there is none. ip(7), IP_RECVERR.
static int queued_error(int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
    } control;
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (v4 || v6)
            return (int)((const struct sock_extended_err *)CMSG_DATA(c))->ee_errno;
    }
    return EAGAIN; // a message without a cause
}

bool dial_udp_fail(struct dial_udp *udp, int error)
{
    if (!is_fatal(udp, error))
        return false;
    dial_flow_reset_errno(&udp->flow, error);
    dial_udp_close(udp);
    return true;
}

bool dial_udp_take_errors(struct dial_udp *udp)
{
    int error;
    while ((error = queued_error(udp->watch.fd)) != 0) {
        if (dial_udp_fail(udp, error))
            return false;
    }
    socket_error(udp->watch.fd); // the copy of the last one that the next call would fail with
    return true;
}
