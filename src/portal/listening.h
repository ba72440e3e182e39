// SPDX-License-Identifier: GPL-2.0-or-later
// Sockets that listen: made while there is a privilege, for ports below 1024, and given to an entrance later.
#ifndef PORTAL_LISTENING_H
#define PORTAL_LISTENING_H

#include "config/value_net.h"

struct listening {
    int *fds;
    size_t count;
};

bool listening_open(struct listening *out, const struct value_endpoints *at, struct fault *fault);
// Those that nobody has taken.
void listening_close(struct listening *listening);
// All of them have an owner now.
void listening_taken(struct listening *listening);

#endif
