// SPDX-License-Identifier: GPL-2.0-or-later
// Reassembly of IP fragments, version 4 and 6, for what an application sends in datagrams larger than the device's MTU.
// Everything a neighbour can make us keep is bounded: bytes, datagrams, pieces of one datagram, and 15 s. Overlaps
// end their datagram, whatever they carry (RFC 5722, RFC 1858, RFC 8200 section 4.5); only an exact duplicate is
// ignored. When room runs out the oldest datagram makes way.
#ifndef EDGE_CAPTURE_FRAGMENTS_H
#define EDGE_CAPTURE_FRAGMENTS_H

#include "base/clock.h"
#include "base/hash.h"
#include "packet/view.h"

enum {
    FRAGMENTS_BYTES = 1024 * 1024, // of all pieces together
    FRAGMENTS_DATAGRAMS = 64,      // unfinished at once
    FRAGMENTS_PIECES = 128,        // of one datagram: 65,535 bytes at an MTU of 576 are 119
    FRAGMENTS_SECONDS = 15,        // shorter than the 60 s of RFC 8200: the sender is one hop away
};

struct fragments;

// Both are borrowed for the lifetime. `*dropped` counts fragments that do not become part of a datagram.
struct fragments *fragments_new(const struct hash_key *key, uint64_t *dropped);
void fragments_free(struct fragments *fragments);
// Takes a copy of a fragment (packet_view says `fragment`). True when it completes a datagram: `whole` then views it
// until the next call, as if it had come in one packet, though larger than PACKET_SIZE it may be: an IPv6 payload is up
// to 65,535 bytes. IPv6 extension headers in front of the fragment header are left out.
bool fragments_add(struct fragments *fragments, const struct packet_view *part, struct packet_view *whole, usec_t now);
usec_t fragments_deadline(const struct fragments *fragments, usec_t now);
void fragments_expire(struct fragments *fragments, usec_t now);

#endif
