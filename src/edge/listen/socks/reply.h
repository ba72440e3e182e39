// SPDX-License-Identifier: GPL-2.0-or-later
// Telling a client something. Its socket has taken nothing from us before, so a few bytes always fit.
#ifndef EDGE_LISTEN_SOCKS_REPLY_H
#define EDGE_LISTEN_SOCKS_REPLY_H

#include "edge/listen/socks/message.h"

void reply_send(int fd, const uint8_t *bytes, size_t len);
// `bound`: where an association's datagrams go to; NULL: not known to us.
void reply_granted(int fd, uint8_t version, const struct endpoint *bound);
void reply_refused(int fd, uint8_t version, enum socks_outcome outcome);
// The last that is read of a client: bytes without a reader would turn what comes next, our closing, into a reset, which
// takes the reply along.
void reply_settle(int fd);

#endif
