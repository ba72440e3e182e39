// SPDX-License-Identifier: GPL-2.0-or-later
// Many datagrams in one system call, both ways: recvmmsg(2), and batches of datagrams of one length, which the kernel puts
// together as they come (UDP_GRO) and cuts apart as they go (UDP_SEGMENT, both udp(7)).
#ifndef OS_SOCKET_UDP_H
#define OS_SOCKET_UDP_H

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct udp_inbox;

// What one message brought: datagrams of `piece` bytes, the last of them maybe shorter. A single one of no bytes has
// `len` 0 and `piece` 0.
struct udp_message {
    struct endpoint from; // version 0: of no internet protocol
    const uint8_t *bytes; // valid until the inbox is used again
    size_t len;
    size_t piece;
};

// Room for UDP_MESSAGES of the largest messages. Pages that nothing has come into are none yet: small datagrams fill one
// each.
struct udp_inbox *udp_inbox_new(void);
// Its pages go back to the kernel; what it brought last is gone.
void udp_inbox_trim(struct udp_inbox *inbox);
void udp_inbox_free(struct udp_inbox *inbox);

enum { UDP_MESSAGES = 16 };

// The socket may hand over batches. A kernel without (before 5.0) hands over datagrams; one before 4.18 does not know how to
// send any either, and Debian 12's is 6.1.
void udp_set_batches(int fd);
// Messages received, at most `most`; fewer were all there was. -1 with errno.
int udp_receive(struct udp_inbox *inbox, int fd, unsigned most);
struct udp_message udp_message(const struct udp_inbox *inbox, int index);

// Sends `bytes` as datagrams of `piece` bytes (one, if `piece` is no less than `len`) to `to`, or, if `to` is NULL, to
// where the socket is connected. False with errno; then none was sent. A batch may fail where single datagrams would not:
// EINVAL or EMSGSIZE for pieces above the path's MTU, EIO for devices that cannot (udp(7)).
bool udp_send(int fd, const struct endpoint *to, const uint8_t *bytes, size_t len, size_t piece);

#endif
