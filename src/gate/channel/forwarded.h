// SPDX-License-Identifier: GPL-2.0-or-later
// Whose connection it is that a balancer passes on: the header of the PROXY protocol, version 2 (proxy-protocol.txt of
// HAProxy, 2.2). No I/O and no state: it is given all that has come each time.
#ifndef GATE_CHANNEL_FORWARDED_H
#define GATE_CHANNEL_FORWARDED_H

#include "base/address.h"

enum {
    FORWARDED_FIRST = 16, // bytes that every header begins with, and that tell its length
    FORWARDED_MAX = 2048, // of a whole one, with what else a balancer tells (TLVs), which is skipped
};

enum forwarded {
    FORWARDED_PARTIAL, // more is needed to tell: `size` bytes in all
    FORWARDED_PEER,    // `peer` is who connected to the balancer; the header has `size` bytes
    FORWARDED_OWN,     // the balancer's own connection (LOCAL); likewise
    // It is not to be served:
    FORWARDED_MISSING,    // no header
    FORWARDED_OLD,        // one of version 1
    FORWARDED_UNKNOWN,    // another version or command
    FORWARDED_NO_ADDRESS, // of something else than TCP over IP, or of nobody
    FORWARDED_SHORT,      // its addresses do not fit into it
    FORWARDED_LONG,
    // By who reads it: the connection has ended, or taken too long, before it was whole.
    FORWARDED_ENDED,
    FORWARDED_SLOW,
    FORWARDED_COUNT
};

struct forwarded_header {
    size_t size;
    struct endpoint peer;
};

enum forwarded forwarded_read(const uint8_t *bytes, size_t len, struct forwarded_header *out);
// Whether these are the first bytes of one, of version 2 or 1.
bool forwarded_begins(const uint8_t *bytes, size_t len);
// A sentence's end for those that are not to be served.
const char *forwarded_why(enum forwarded found);

#endif
