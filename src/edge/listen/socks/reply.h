// SPDX-License-Identifier: GPL-2.0-or-later
// What a client is told of its request.
#ifndef EDGE_LISTEN_SOCKS_REPLY_H
#define EDGE_LISTEN_SOCKS_REPLY_H

#include "edge/listen/socks/message.h"

// `bound`: where an association's datagrams go to; NULL: not known to us.
void reply_granted(int fd, uint8_t version, const struct endpoint *bound);
void reply_refused(int fd, uint8_t version, enum socks_outcome outcome);

#endif
