// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/socket/pair.h"

#include "os/socket/socket.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum {
    ACCEPT_MS = 1000, // the connection is there when connect(2) returns, but on a machine that is very busy
    STRANGERS = 16,   // others on this host may connect in between
};

static const struct endpoint loopback = {.addr = {.version = 4, .bytes = {127, 0, 0, 1}}};

static void close_keeping_errno(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

static int listen_on_loopback(struct endpoint *at)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&loopback, &sa);
    int fd = socket_stream(4);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) == 0 && listen(fd, 1) == 0 && socket_local(fd, at))
        return fd;
    if (fd >= 0)
        close_keeping_errno(fd);
    return -1;
}

static int accept_soon(int listener)
{
    struct pollfd soon = {.fd = listener, .events = POLLIN};
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN && poll(&soon, 1, ACCEPT_MS) > 0)
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd;
}

// The one of all that connect that is the other end of `fd`.
static int accept_own(int listener, int fd)
{
    struct endpoint own, peer;
    if (!socket_local(fd, &own))
        return -1;
    for (int i = 0; i < STRANGERS; i++) {
        int other = accept_soon(listener);
        if (other < 0)
            return -1;
        if (socket_peer(other, &peer) && endpoint_equal(&own, &peer))
            return other;
        close(other);
    }
    errno = ECONNABORTED;
    return -1;
}

bool pair_stream(int ends[2])
{
    struct endpoint at;
    int listener = listen_on_loopback(&at);
    if (listener < 0)
        return false;
    ends[1] = -1;
    ends[0] = socket_stream(4);
    if (ends[0] >= 0 && socket_connect(ends[0], &at) >= 0)
        ends[1] = accept_own(listener, ends[0]);
    close_keeping_errno(listener);
    if (ends[1] >= 0)
        return true;
    if (ends[0] >= 0)
        close_keeping_errno(ends[0]);
    return false;
}

bool pair_messages(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0;
}
