// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses that stand for names: one network of them, and one address for each name that was asked for. An address stays
// with its name for as long as anybody may still use it, which is why it is given to another one only
//
//     when no fresh one is left,
//     when nobody was told it, and no flow was seen to go there, for POOL_GRACE_S, and
//     the longest unused first.
//
// After POOL_KEEP_S without use it stands for nothing, though a program that resolved its names when it was started may have
// used it that long. No I/O; time is an argument.
#ifndef EDGE_NAMES_POOL_H
#define EDGE_NAMES_POOL_H

#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"

enum {
    POOL_TTL_MAX_S = 60,               // what a resolver is told that an address is good for, at most
    POOL_GRACE_S = 2 * POOL_TTL_MAX_S, // since it was told: its caches have forgotten it a minute ago
    POOL_KEEP_S = 24 * 60 * 60,
    POOL_MAX = 65536, // names at once, whatever the network's size: 16 MiB of the longest
    POOL_SWEEP_S = 10,
    POOL_TAKEN_MAX = 8,
};

struct pool;

struct pool_config {
    struct prefix prefix;
    struct hash_key key;         // random: names come from applications
    const struct address *taken; // addresses in it that stand for no name, POOL_TAKEN_MAX of them at most
    size_t taken_count;
    // Tells of every address that a flow goes to now, by pool_use. Asked before an address changes its name, at most once in
    // POOL_SWEEP_S.
    void (*sweep)(void *owner, usec_t now);
    void *owner;
};

// The first address of the prefix is nobody's, nor is the last.
struct pool *pool_new(const struct pool_config *config);
void pool_free(struct pool *pool);

bool pool_has(const struct pool *pool, const struct address *addr);
// The address of a name, which is used by that. False: all are in use. Names are as packet/dns.h writes them, of at most 253
// bytes.
bool pool_address(struct pool *pool, const char *name, struct address *out, usec_t now);
// The name of an address; NULL: it stands for none. Until the next pool_address.
const char *pool_name(struct pool *pool, const struct address *addr, usec_t now);
// A flow goes there.
void pool_use(struct pool *pool, const struct address *addr, usec_t now);

// Names that have an address, and how many there may be.
uint32_t pool_count(const struct pool *pool);
uint32_t pool_size(const struct pool *pool);

#endif
