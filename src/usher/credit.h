// SPDX-License-Identifier: GPL-2.0-or-later
// Flow control of one session, both ways (doc/PROTOCOL.md section 5). As positions in the two byte streams:
//
//     sent     <= limit                 what we may send: the first 64 KiB and every UsherAck that came
//     consumed <= received <= granted   what we took: granted is the first 64 KiB and every UsherAck that went
//     granted  <= consumed + window     what the peer can make us hold is never more than the window
//
// Two of the positions are kept, and of the others how far they are from these, which is never much:
//
//     room = limit - sent, held = received - consumed, allowance = granted - received
//     room <= CREDIT_OUTSTANDING_MAX, held + allowance <= window
//
// The window begins at 64 KiB, jumps once when the session turns out to carry bulk, and then doubles for every window
// that was consumed within a second while little is held: it comes to hold about one second of the session's rate,
// which is twice what a path with a round trip of half a second needs. What all windows together have beyond their
// first 64 KiB is the tunnel's budget; when it runs short, sessions above an equal share get less back than they
// consumed. Credit once given cannot be taken back.
#ifndef USHER_CREDIT_H
#define USHER_CREDIT_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CREDIT_EARLY_BYTES = 8 * 1024,      // received: this is no question-and-answer session any more
    CREDIT_EARLY_WINDOW = 256 * 1024,   // granted then, so that a young transfer does not stop every round trip
    CREDIT_CRUMB = 1024,                // less credit than this is not sent on: more comes, and a crumb costs a record
    CREDIT_OUTSTANDING_MAX = INT32_MAX, // more unused credit than this breaks section 5
    CREDIT_TICK = 16384,                // microseconds: 16 bits of them are 18 minutes
    CREDIT_GROW_WITHIN = 61,            // CREDIT_TICK, one second: a window consumed within this time doubles
};

struct credit {
    uint64_t sent;      // bytes, all time
    uint64_t received;  // bytes, all time
    uint32_t room;      // bytes that may be sent now
    uint32_t held;      // bytes received and not consumed
    uint32_t allowance; // bytes that the peer may send now
    uint32_t window;
    uint32_t moved_ms; // when the last of what is held was consumed, or the first came; milliseconds modulo 2^32
    // Where the present measurement of the rate began, and when, modulo 2^16. A window is a quarter of 2^16 KiB at most.
    uint16_t measured_from;  // position consumed, in KiB
    uint16_t measured_since; // in CREDIT_TICK
};

struct credit_budget {
    uint64_t total; // bytes beyond the first 64 KiB that all windows may have
    uint64_t used;
    uint64_t held; // bytes received and not consumed
    uint32_t window_max;
    uint32_t grown; // sessions with more than 64 KiB
};

void credit_init(struct credit *credit, usec_t now);
// Gives back to the budget what the window has beyond 64 KiB and what is held; the session is over.
void credit_fini(struct credit *credit, struct credit_budget *budget);

// Bytes that may be sent now.
uint32_t credit_room(const struct credit *credit);
// Whether sending is worth it while more data may follow. Withholding the last crumb cannot stall: a receiver that has
// consumed everything owes us most of its window.
bool credit_is_usable(const struct credit *credit);
void credit_spend(struct credit *credit, uint32_t len);
// UsherAck came. False, and nothing changed, when the credit would exceed CREDIT_OUTSTANDING_MAX.
bool credit_raise(struct credit *credit, uint16_t size);

// An UsherSend of `len` bytes came. False, and nothing changed, when it is more than was granted.
bool credit_receive(struct credit *credit, struct credit_budget *budget, uint32_t len, usec_t now);
// `len` received bytes have reached their destination.
void credit_consume(struct credit *credit, struct credit_budget *budget, uint64_t len, usec_t now);
// Received and not consumed.
uint32_t credit_held(const struct credit *credit);
// For how many milliseconds what is held has not moved.
uint32_t credit_waited(const struct credit *credit, usec_t now);
// Bytes that the peer can be given.
uint32_t credit_owed(const struct credit *credit);
// Whether that is enough for an UsherAck: a quarter of the window, so that the peer never waits while we keep up.
bool credit_is_due(const struct credit *credit);
void credit_grant(struct credit *credit, uint32_t len);

#endif
