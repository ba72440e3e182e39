// SPDX-License-Identifier: GPL-2.0-or-later
// Who asked for the sessions that the peer opened, where the peer has said so before it opened them (doc/PROTOCOL.md section 10),
// by its identifiers. An engine whose peer says nothing has an empty one, which takes no memory.
#ifndef USHER_ORIGINS_H
#define USHER_ORIGINS_H

#include "base/address.h"
#include "base/table.h"

struct origins {
    struct table table;
    bool used; // `table` is made
};

// For the session of that identifier, or for the next one. False: there are `max` already.
bool origins_put(struct origins *origins, uint16_t id, const struct endpoint *who, uint32_t max);
// NULL: nobody knows. Valid until the next call of another kind.
const struct endpoint *origins_find(const struct origins *origins, uint16_t id);
void origins_drop(struct origins *origins, uint16_t id);
void origins_fini(struct origins *origins);

#endif
