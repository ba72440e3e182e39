// SPDX-License-Identifier: GPL-2.0-or-later
// Networks that have other addresses here than where they are, one to one: two sites with the same plan reach each other.
// The host part stays (RFC 3022 section 2.1 does the same to packets; here there are none, only openings).
#ifndef EXCHANGE_MAP_H
#define EXCHANGE_MAP_H

#include "base/address.h"
#include "base/facts.h"
#include "exchange/guide.h"

#include <stddef.h>

// Of one IP version and length; no two `here` have an address in common.
struct map_pair {
    struct prefix here;  // what applications ask for
    struct prefix there; // what that is
};

struct map {
    struct guide guide; // first
    const struct map_pair *pairs;
    size_t count;
};

// `pairs` are borrowed.
void map_init(struct map *map, const struct map_pair *pairs, size_t count);

// The list "map"; nothing where there are none.
void map_describe(const struct map_pair *pairs, size_t count, struct facts *facts);

#endif
