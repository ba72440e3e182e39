// SPDX-License-Identifier: GPL-2.0-or-later
// The records that go out, written into the caller's room: the sender's half of doc/PROTOCOL.md.
#ifndef USHER_TRANSMIT_H
#define USHER_TRANSMIT_H

#include <stddef.h>
#include <stdint.h>

struct usher_engine;

enum {
    TRANSMIT_CRUMB = 1024, // bytes: a rest of the room smaller than this is left empty rather than given to data
};

// Writes into `room`; returns the bytes written.
typedef size_t transmit(struct usher_engine *engine, uint8_t *room, size_t size);

// All that there is.
transmit transmit_pull;
// No more than the rest of a datagram that was cut, and confirmations.
transmit transmit_pull_confirmation;

#endif
