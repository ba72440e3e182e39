// SPDX-License-Identifier: GPL-2.0-or-later
// Who may reach what, as an exit asks it: of a name before it is resolved, of an address before anything goes there.
#ifndef EDGE_JUDGE_H
#define EDGE_JUDGE_H

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

enum judge_name {
    JUDGE_ALLOWED, // by its name; what it is resolved to is still judged
    JUDGE_RESOLVE, // its addresses may pass
    JUDGE_DENIED,  // none of them could
    JUDGE_NO_NAME, // this is no host name
};

enum { JUDGE_ANY = 0 }; // for a protocol: whether some session there could be allowed, of whatever protocol and port

// What was refused by the rules, for who keeps a list of it.
struct judge_denial {
    uint8_t protocol;
    const struct address *from; // who asked behind the peer, as it says; NULL: not known
    const char *host;           // NULL: an address was asked for
    struct endpoint to;         // version 0: the name was refused before it was resolved; port 0 where there are none
};

// Part of what judges. Protocols are those of IP; the port is 0 where there are none.
struct judge {
    // `host` is the name that the address was resolved from, NULL if the peer named the address itself.
    bool (*address)(const struct judge *judge, uint8_t protocol, const char *host, const struct address *addr,
                    uint16_t port);
    enum judge_name (*name)(const struct judge *judge, uint8_t protocol, const char *host, uint16_t port);
    // To be told of each refusal that comes of it, and of no mere question. NULL: nobody wants to know.
    void (*denied)(const struct judge *judge, const struct judge_denial *denial);
};

static inline void judge_tell_denied(const struct judge *judge, const struct judge_denial *denial)
{
    if (judge->denied)
        judge->denied(judge, denial);
}

#endif
