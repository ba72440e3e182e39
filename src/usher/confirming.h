// SPDX-License-Identifier: GPL-2.0-or-later
// What we tell the peer of the records that we have taken (doc/PROTOCOL.md section 10, Confirming), once both ends have
// agreed to it. It is due after so many bytes, or so long after a record that calls for it, and goes along earlier where
// something else goes anyway. A fast link brings many bytes in no time, and each confirmation costs either end a message of
// its own, so one speaks for a millisecond at least. Records of session 0 call for none: else two confirmations would answer each other for ever.
#ifndef USHER_CONFIRMING_H
#define USHER_CONFIRMING_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIRMING_BYTES (256 * 1024)
#define CONFIRMING_LEAST (1 * USEC_PER_MSEC)
#define CONFIRMING_WAIT  (100 * USEC_PER_MSEC)

struct confirming {
    bool agreed;
    bool due;       // waits to be pulled
    uint32_t bytes; // that came since we last said something
    uint64_t taken; // records of the peer's, all of them
    uint64_t quiet; // of those, records of session 0
    uint64_t heard; // of the others, those that `since` knows
    uint64_t said;  // records that we have confirmed
    usec_t since;   // when the first of them came that call for it; USEC_NEVER: none does
};

void confirming_init(struct confirming *confirming);
void confirming_agree(struct confirming *confirming, usec_t now);
// The peer's records came to be so many, `quiet` included, in `bytes` more.
void confirming_received(struct confirming *confirming, uint64_t taken, uint32_t bytes, usec_t now);

// Sets `due` when it is time.
void confirming_check(struct confirming *confirming, usec_t now);
usec_t confirming_deadline(const struct confirming *confirming);
// Half of what makes it due has come or gone: something else is about to go, and it might come too late for the next.
bool confirming_goes_along(const struct confirming *confirming, usec_t now);

// SIZE of the next UsherAck; 0: there is nothing to confirm. A large number takes several.
uint16_t confirming_size(const struct confirming *confirming);
void confirming_sent(struct confirming *confirming, uint16_t size);

#endif
