// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/socks/reply.h"

#include <sys/socket.h>

enum {
    SETTLE_BYTES = 1 << 20, // of one call
    SETTLE_CALLS = 8,       // a receive buffer is no larger, and a client that sends on has not read its reply
};

void reply_send(int fd, const uint8_t *bytes, size_t len)
{
    ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; // a client that has gone shows at the next look
}

static void reply(int fd, uint8_t version, enum socks_outcome outcome, const struct endpoint *bound)
{
    static const struct endpoint unknown = {.addr.version = 4};
    uint8_t room[SOCKS_REPLY_MAX];
    reply_send(fd, room, socks_reply_write(room, version, outcome, bound ? bound : &unknown));
}

void reply_granted(int fd, uint8_t version, const struct endpoint *bound)
{
    reply(fd, version, SOCKS_GRANTED, bound);
}

void reply_refused(int fd, uint8_t version, enum socks_outcome outcome)
{
    reply(fd, version, outcome, NULL);
    reply_settle(fd);
}

// tcp(7): MSG_TRUNC throws bytes away without copying them.
void reply_settle(int fd)
{
    for (int i = 0; i < SETTLE_CALLS && recv(fd, NULL, SETTLE_BYTES, MSG_TRUNC | MSG_DONTWAIT) > 0; i++)
        ;
}
