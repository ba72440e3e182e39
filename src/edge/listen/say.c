// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/say.h"

#include <sys/socket.h>

enum {
    SETTLE_BYTES = 1 << 20, // of one call
    SETTLE_CALLS = 8,       // a receive buffer is no larger, and a client that sends on has not read what it was told
};

void say(int fd, const void *bytes, size_t len)
{
    ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; // a client that has gone shows at the next look
}

// tcp(7): MSG_TRUNC throws bytes away without copying them.
void say_no_more(int fd)
{
    for (int i = 0; i < SETTLE_CALLS && recv(fd, NULL, SETTLE_BYTES, MSG_TRUNC | MSG_DONTWAIT) > 0; i++)
        ;
}
