// SPDX-License-Identifier: GPL-2.0-or-later
// How large packets may be on the way to whom: less than our device takes for those behind a smaller link. What was learnt
// is forgotten after ten minutes (RFC 8201 section 4), and the longest known gives way to what is new.
#ifndef PACKET_PATH_MTU_H
#define PACKET_PATH_MTU_H

#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"

enum { PATH_MTUS_MAX = 1024 }; // addresses behind small links: of a LAN at most, and 100 KiB

struct path_mtus;

struct path_mtus *path_mtus_new(const struct hash_key *key); // borrowed
void path_mtus_free(struct path_mtus *paths);
// No less than what is known already is no news, and does not prolong it either.
void path_mtus_learn(struct path_mtus *paths, const struct address *to, uint32_t mtu, usec_t now);
// `most` for those of whom nothing else is known, and for everybody without `paths`.
uint32_t path_mtus_to(const struct path_mtus *paths, const struct address *to, uint32_t most, usec_t now);

#endif
