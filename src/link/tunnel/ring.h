// SPDX-License-Identifier: GPL-2.0-or-later
// The records that a tunnel has pulled from its engine and that its peer has not yet confirmed. They are encrypted from
// where they lie, so keeping them costs no copy:
//
//     ring_room, ring_added    the engine's next pull goes in here
//     ring_confirm             the peer has taken so many records: their memory is free
//     ring_rewind, ring_next   another lane begins with the first that is not confirmed
//
// What is pulled at once is kept in one piece. Pieces lie back to back in blocks, so that small ones cost no more than
// their bytes; a block is free when all records that begin in it are confirmed. A ring that keeps nothing is one warm
// piece of memory, used again and again.
#ifndef LINK_TUNNEL_RING_H
#define LINK_TUNNEL_RING_H

#include "base/chunk.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RING_PULL_MAX = 3 * CHUNK_SIZE,      // bytes: three records of TLS, a fifth of a batch
    RING_BLOCK_SIZE = 2 * RING_PULL_MAX, // so that whole pulls leave nothing over
};

// Two ends whose rings are full wait for each other's confirmations, which must therefore find room all the same.
enum ring_use {
    RING_ANY,
    RING_CONFIRMATION, // also beyond the limit: two blocks
};

struct ring_block;

struct ring {
    bool keep;
    size_t limit;       // bytes that may be kept
    size_t held;        // bytes of blocks that are in use
    struct list blocks; // in use, the oldest first
    struct list spare;
    uint8_t *slot;      // where pulls go while nothing is kept
    uint64_t begun;     // records that have begun in the ring
    uint32_t left;      // bytes of the last one that are still to be pulled (a large datagram comes in several pulls)
    uint64_t sent;      // records wholly given to the present lane, or confirmed
    uint64_t confirmed; // records
    struct ring_block *again; // what a rewind left to be sent; NULL: all has been
    uint32_t again_at;        // bytes of that block that have gone
    uint32_t again_left;      // bytes of a record that are still to go, cut by the end of a piece
};

// `limit` in bytes, rounded down to whole blocks; 0: nothing is kept.
void ring_init(struct ring *ring, size_t limit);
void ring_fini(struct ring *ring);
// Nothing that is pulled from now on is kept, and what was kept goes when it is not needed any more: the tunnel ends, or
// nobody confirms.
void ring_keep_no_more(struct ring *ring);

// Whether ring_room would give room.
bool ring_has_room(const struct ring *ring, enum ring_use use);
// Room for one pull, of CHUNK_SIZE to RING_PULL_MAX bytes, while nothing is to be sent again; NULL while the ring is full.
uint8_t *ring_room(struct ring *ring, enum ring_use use, size_t *size);
// `len` bytes of records were pulled into that room.
void ring_added(struct ring *ring, size_t len);

// Memory is given back with ring_trim only. False, with nothing done, when that many were never sent.
bool ring_confirm(struct ring *ring, uint64_t records);
// What is sent next begins with the first record that is not confirmed.
void ring_rewind(struct ring *ring);
bool ring_is_behind(const struct ring *ring); // something is to be sent again
// The next piece of that, of whole records where they fit; valid until the next call of any function here. NULL when
// there is none.
const uint8_t *ring_next(struct ring *ring, size_t *len);

// Gives back memory that holds nothing.
void ring_trim(struct ring *ring);

#endif
