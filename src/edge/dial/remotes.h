// SPDX-License-Identifier: GPL-2.0-or-later
// Where an association has sent to, and whether it may: the last 64 IPv4 destinations, the latest first. It saves judging
// every datagram anew, and it is the list of those from whom answers are let in (RFC 4787 section 5, address-dependent
// filtering).
#ifndef EDGE_DIAL_REMOTES_H
#define EDGE_DIAL_REMOTES_H

#include "base/address.h"

#include <stddef.h>

enum { REMOTES_MAX = 64 };

struct remote {
    uint8_t addr[4];
    uint16_t port;
    bool allowed;
};

struct dial_remotes {
    struct remote *list;
    uint8_t count;
    uint8_t size;
    bool several; // more than one was ever allowed
};

void remotes_fini(struct dial_remotes *remotes);
// The entry for `to`, brought to the front; NULL when there is none.
const struct remote *remotes_find(struct dial_remotes *remotes, const struct endpoint *to);
// `to` is not there yet.
void remotes_add(struct dial_remotes *remotes, const struct endpoint *to, bool allowed);
bool remotes_let_in(const struct dial_remotes *remotes, const struct address *from);

#endif
