// SPDX-License-Identifier: GPL-2.0-or-later
// Both ends of a connection, made at once, of which one is for somebody else. Non-blocking and close-on-exec. False with
// errno.
#ifndef OS_SOCKET_PAIR_H
#define OS_SOCKET_PAIR_H

#include <stdbool.h>

// TCP on loopback rather than socketpair(2): a reset of one end is ECONNRESET at the other, which AF_UNIX cannot say.
bool pair_stream(int ends[2]);
// Messages that keep their bounds; an end that goes is noticed at once by the other.
bool pair_messages(int ends[2]);

#endif
