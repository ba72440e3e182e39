// SPDX-License-Identifier: GPL-2.0-or-later
// What `usher-tun flows` and the gate's status show of a flow, the same from every edge.
#ifndef EDGE_FLOW_INFO_H
#define EDGE_FLOW_INFO_H

#include "base/address.h"
#include "base/clock.h"
#include "usher/record.h"

struct flow_info {
    const void *who;  // which one it is, for as long as it lives
    const char *via;  // the name of its edge; the exchange says it
    bool ours;        // it was opened on this side; the exchange says it
    uint8_t protocol; // IP protocol number
    struct endpoint inside;
    struct endpoint asked_by; // behind the other end's entrance, where it has said so; version 0: nobody knows
    struct endpoint outside;
    const char *host;             // of a far end that is a name; NULL: `outside` has its address
    const char *asked;            // what the peer asked for, a name or an address; NULL or "": where `outside` is
    const struct usher_open *led; // where it really goes, if that is elsewhere; else NULL; the exchange says it
    const char *state;
    uint64_t bytes_out; // from the inside application to the far end
    uint64_t bytes_in;
    usec_t age;
};

typedef void flow_visit(void *arg, const struct flow_info *info);

#endif
