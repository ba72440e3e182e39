// SPDX-License-Identifier: GPL-2.0-or-later
// Mapped names of a portal: the pools, what answers questions out of them, and the guide that leads what goes there.
#ifndef PORTAL_MAPPING_H
#define PORTAL_MAPPING_H

#include "base/facts.h"

struct exchange;
struct guide;
struct mapping;
struct names_keys;
struct names_source;
struct prober;

// All borrowed.
struct mapping *mapping_new(const struct names_keys *keys, struct exchange *exchange, struct prober *prober);
// After the exchange.
void mapping_free(struct mapping *mapping);

// For the resolver, which it must outlive.
struct names_source *mapping_source(struct mapping *mapping);
// To be asked after the one that knows the resolver's own addresses.
struct guide *mapping_guide(struct mapping *mapping);
void mapping_describe(const struct mapping *mapping, struct facts *facts);

#endif
