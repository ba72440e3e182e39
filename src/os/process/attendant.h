// SPDX-License-Identifier: GPL-2.0-or-later
// A small process that stays what its program is now, while the program gives its rights away: forked before the program
// has read any secret, so that none is in its memory, and idle until it is told what to do. It outlives every signal that a
// service manager or a terminal sends to all, and ends when the other end of its channel does.
#ifndef OS_PROCESS_ATTENDANT_H
#define OS_PROCESS_ATTENDANT_H

#include "base/fault.h"

#include <stddef.h>
#include <sys/types.h>

enum {
    ATTENDANT_CHANNEL_FD = 3, // in the process
    ATTENDANT_FDS_MAX = 4,    // of an order
};

struct attendant {
    pid_t pid;
    int channel; // SOCK_SEQPACKET; -1: there is none
};

#define ATTENDANT_NONE ((struct attendant){-1, -1})

// `live` runs in the process, with no descriptor of the program's but stderr and the channel, and returns its exit code.
bool attendant_start(struct attendant *out, const char *name, int (*live)(void), struct fault *fault);
// Waits for its end, but not for long. No privilege is needed.
void attendant_stop(struct attendant *attendant);

// One message with what it is to do. Either end.
bool attendant_send(int channel, const void *bytes, size_t len, const int *fds, size_t count);
// Blocks until there is one, unless `nonblocking`. Its length; 0 at the end of the other one, -1 when there is none. Of
// `fds`, which has room for ATTENDANT_FDS_MAX, those that were not sent are -1.
ssize_t attendant_receive(int channel, void *room, size_t size, int *fds, bool nonblocking);
// Waits until the attendant has something to say, or has ended; false when it takes too long.
bool attendant_await(const struct attendant *attendant);

#endif
