// SPDX-License-Identifier: GPL-2.0-or-later
// Where an association has sent to, and whether it may: the last 64 IPv4 destinations, the latest first. It saves judging
// every datagram anew, and it is the list of those from whom answers are let in (RFC 4787 section 5, address-dependent
// filtering).
#ifndef EDGE_RELAY_REMOTES_H
#define EDGE_RELAY_REMOTES_H

#include "edge/judge.h"

#include <stddef.h>

enum { REMOTES_MAX = 64 };

struct remote {
    uint8_t addr[4];
    uint16_t port;
    bool allowed;
};

struct remotes {
    struct remote *list;
    uint8_t count;
    uint8_t size;
    bool several; // more than one was ever allowed
};

void remotes_fini(struct remotes *remotes);
// Whether a datagram may go there, by what was judged before or now; counts those that may not.
bool remotes_may_send(struct remotes *remotes, const struct judge *judge, uint8_t protocol, const struct endpoint *to,
                      uint64_t *denied);
bool remotes_let_in(const struct remotes *remotes, const struct address *from);

#endif
