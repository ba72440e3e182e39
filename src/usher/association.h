// SPDX-License-Identifier: GPL-2.0-or-later
// What a session for datagrams has where a stream has its credit: the queue of those that wait to be sent, and which
// addresses they carry (doc/PROTOCOL.md section 8).
#ifndef USHER_ASSOCIATION_H
#define USHER_ASSOCIATION_H

#include "base/list.h"
#include "usher/record.h"

#include <stdbool.h>
#include <stdint.h>

struct association {
    struct list queue; // usher/datagrams.h
    uint64_t sent;     // bytes of payload, all time
    uint64_t received;
    bool by_name; // opened by HOSTNAME: datagrams carry no addresses
    bool echo;    // ICMP: ports are identifier and sequence number, also by name
};

void association_init(struct association *association, const struct usher_open *open);
// A datagram with the addresses that this kind of association carries, whoever sent it.
struct usher_datagram association_dress(const struct association *association, const struct usher_datagram *datagram);

#endif
