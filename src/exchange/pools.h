// SPDX-License-Identifier: GPL-2.0-or-later
// The pools of addresses that stand for names (edge/names/pool.h), and the guide that makes an opening to such an address one
// to its name, which the far side resolves and judges. What is open there keeps the address with its name.
#ifndef EXCHANGE_POOLS_H
#define EXCHANGE_POOLS_H

#include "base/facts.h"
#include "edge/names/pool.h"
#include "exchange/exchange.h"
#include "exchange/guide.h"

struct pools;

// One pool for each of the prefixes, of one IP version at most. `taken` are addresses in them that stand for no name, which
// another guide that is asked before may know.
struct pools *pools_new(struct exchange *exchange, const struct prefix *prefixes, size_t count,
                        const struct address *taken, size_t taken_count);
// After the exchange.
void pools_free(struct pools *pools);

struct guide *pools_guide(struct pools *pools);
// Of an IP version; NULL: there is none.
struct pool *pools_get(const struct pools *pools, uint8_t version);
// The list "pools".
void pools_describe(const struct pools *pools, struct facts *facts);

#endif
