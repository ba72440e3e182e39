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
// Those of `now` alone that are not among `before`.
bool listening_open_new(struct listening *out, const struct value_endpoints *before, const struct value_endpoints *now,
                        struct fault *fault);
bool listening_is_among(const struct value_endpoints *all, const struct endpoint *at);
// A sentence more, for somebody who has given the right to such a port away.
void listening_explain(const struct endpoint *at, struct fault *fault);
// Those that nobody has taken.
void listening_close(struct listening *listening);
// All of them have an owner now.
void listening_taken(struct listening *listening);

#endif
