// SPDX-License-Identifier: GPL-2.0-or-later
// By what number each tunnel is known to connections that are to carry it on (doc/PROTOCOL.md section 11). Finding one
// takes the same time whatever is asked for: the hash is keyed, and whole numbers are compared.
#ifndef GATE_SUPERVISOR_TICKETS_H
#define GATE_SUPERVISOR_TICKETS_H

#include "base/hash.h"
#include "base/table.h"
#include "link/tls/tls.h"

struct tickets {
    struct table table;
    struct hash_key key;
};

// Part of who has tickets, zeroed to begin with: the latest, and the one before, since nobody knows whether the latest has
// arrived.
struct ticket_holder {
    struct ticket_slot {
        struct table_node node;
        struct ticket_holder *holder; // NULL: not in use
        uint8_t number[TLS_TICKET_SIZE];
    } slots[2];
    unsigned next;
};

void tickets_init(struct tickets *tickets);
// Nobody has any more.
void tickets_fini(struct tickets *tickets);
// False when somebody has that one.
bool tickets_give(struct tickets *tickets, struct ticket_holder *holder, const uint8_t number[TLS_TICKET_SIZE]);
void tickets_take_back(struct tickets *tickets, struct ticket_holder *holder);
struct ticket_holder *tickets_find(const struct tickets *tickets, const uint8_t number[TLS_TICKET_SIZE]);

#endif
