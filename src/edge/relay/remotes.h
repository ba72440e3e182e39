// SPDX-License-Identifier: GPL-2.0-or-later
// Where an association has sent to, and whether it may: the last 64 IPv4 destinations, the latest first. It saves judging
// and translating every datagram anew, and it is the list of those from whom answers are let in (RFC 4787 section 5,
// address-dependent filtering), and of what the peer calls them.
#ifndef EDGE_RELAY_REMOTES_H
#define EDGE_RELAY_REMOTES_H

#include "edge/judge.h"
#include "edge/translate.h"
#include "edge/visit.h"

#include <stddef.h>

enum { REMOTES_MAX = 64 };

struct remote {
    uint8_t asked[4];
    uint8_t there[4]; // where that is
    uint16_t port;    // of pings: the latest sequence number
    bool allowed;
    bool fresh;          // allowed now, and was not before: whoever keeps accounts has not heard of it
    struct visit *visit; // NULL: nobody counts; over with its place here
};

struct remotes {
    struct remote *list;
    uint8_t count;
    uint8_t size;
    bool several; // more than one was ever allowed
};

struct remotes_rules {
    const struct judge *judge;
    const struct translate *translate; // NULL: everything is where its address says
    uint64_t *denied;                  // counts datagrams
};

void remotes_fini(struct remotes *remotes);
// The far end `to`, when a datagram may go there by what was judged before or now, and where that is; counts and tells those
// that may not, `from` whom. NULL: it may not. The port of a ping is its sequence number.
struct remote *remotes_may_send(struct remotes *remotes, const struct remotes_rules *rules, uint8_t protocol,
                                const struct address *from, const struct endpoint *to, struct address *there);
// Judges all of them anew; false when none is allowed any more, of those that there are.
bool remotes_judge_again(struct remotes *remotes, const struct remotes_rules *rules, uint8_t protocol);
// Whose answer that is which comes from there, and what the peer calls its sender: where several are in one place, the one
// with that port, or else the latest. NULL: it may not come.
struct remote *remotes_let_in(const struct remotes *remotes, const struct endpoint *from, struct address *asked);

#endif
