// SPDX-License-Identifier: GPL-2.0-or-later
// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that an outsider cannot steer, for tables keyed by what
// peers send and for TCP initial sequence numbers (RFC 6528).
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t len);

#endif
