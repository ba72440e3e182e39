// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/tickets.h"

#include "base/list.h"
#include "os/random.h"

#include <assert.h>
#include <string.h>

void tickets_init(struct tickets *tickets)
{
    table_init(&tickets->table);
    random_fill(&tickets->key, sizeof tickets->key);
}

void tickets_fini(struct tickets *tickets)
{
    assert(tickets->table.count == 0);
    table_fini(&tickets->table);
}

static bool is_same(const uint8_t *one, const uint8_t *two)
{
    uint8_t differ = 0;
    for (size_t i = 0; i < TLS_TICKET_SIZE; i++)
        differ |= one[i] ^ two[i];
    return !differ;
}

static void release(struct tickets *tickets, struct ticket_slot *slot)
{
    if (!slot->holder)
        return;
    table_remove(&tickets->table, &slot->node);
    slot->holder = NULL;
}

bool tickets_give(struct tickets *tickets, struct ticket_holder *holder, const uint8_t number[TLS_TICKET_SIZE])
{
    struct ticket_slot *slot = &holder->slots[holder->next];
    if (tickets_find(tickets, number))
        return false;
    release(tickets, slot);
    slot->holder = holder;
    memcpy(slot->number, number, TLS_TICKET_SIZE);
    table_insert(&tickets->table, &slot->node, hash_bytes(&tickets->key, number, TLS_TICKET_SIZE));
    holder->next = !holder->next;
    return true;
}

void tickets_take_back(struct tickets *tickets, struct ticket_holder *holder)
{
    release(tickets, &holder->slots[0]);
    release(tickets, &holder->slots[1]);
}

struct ticket_holder *tickets_find(const struct tickets *tickets, const uint8_t number[TLS_TICKET_SIZE])
{
    struct table_node *node = table_first(&tickets->table, hash_bytes(&tickets->key, number, TLS_TICKET_SIZE));
    for (; node; node = table_next(node)) {
        const struct ticket_slot *slot = container_of(node, struct ticket_slot, node);
        if (is_same(slot->number, number))
            return slot->holder;
    }
    return NULL;
}
