// SPDX-License-Identifier: GPL-2.0-or-later
// Telling a client something before it is served, or instead. Its socket has taken little from us before, so a few bytes
// always fit.
#ifndef EDGE_LISTEN_SAY_H
#define EDGE_LISTEN_SAY_H

#include <stddef.h>

void say(int fd, const void *bytes, size_t len);
// The last that is read of a client: bytes without a reader would turn what comes next, our closing, into a reset, which
// takes along what was said.
void say_no_more(int fd);

#endif
