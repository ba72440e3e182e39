// SPDX-License-Identifier: GPL-2.0-or-later
// A table by session. It stands beside the sessions, which are as small as they are because nobody needs this of them.
#include "exchange/accounts.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"
#include "usher/session.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct table_node node;
    const struct usher_session *session;
    bool incoming;
    uint8_t protocol;
    uint16_t port;
    unsigned line;
    const char *via;
    char *rule; // NULL: nobody was asked
    uint64_t began;
    struct endpoint from, reached;
    struct address addr; // that was asked for; version 0: `host`
    char host[];
};

struct accounts {
    struct table table;
    uint64_t (*now)(void *clock);
    void *clock;
    account_told *told;
    void *owner;
};

struct accounts *accounts_new(uint64_t (*now)(void *clock), void *clock, account_told *told, void *owner)
{
    struct accounts *accounts = memory_new(sizeof *accounts);
    *accounts = (struct accounts){.now = now, .clock = clock, .told = told, .owner = owner};
    table_init(&accounts->table);
    return accounts;
}

// Addresses are ours: no outsider steers them.
static uint64_t hash_of(const struct usher_session *session)
{
    return (uint64_t)(uintptr_t)session * UINT64_C(0x9e3779b97f4a7c15) >> 16;
}

static struct entry *entry_of(struct table_node *node)
{
    return container_of(node, struct entry, node);
}

static struct entry *find(const struct accounts *accounts, const struct usher_session *session)
{
    struct table_node *node = table_first(&accounts->table, hash_of(session));
    while (node && entry_of(node)->session != session)
        node = table_next(node);
    return node ? entry_of(node) : NULL;
}

static void drop(struct accounts *accounts, struct entry *entry)
{
    table_remove(&accounts->table, &entry->node);
    free(entry->rule);
    free(entry);
}

void accounts_free(struct accounts *accounts)
{
    if (!accounts)
        return;
    for (size_t i = 0; i <= accounts->table.mask; i++)
        while (accounts->table.buckets[i])
            drop(accounts, entry_of(accounts->table.buckets[i]));
    table_fini(&accounts->table);
    free(accounts);
}

static bool has_ports(uint16_t protocol)
{
    return protocol == USHER_TCP || protocol == USHER_UDP;
}

static void came(void *owner, const struct usher_session *session, const struct usher_open *open, bool incoming)
{
    struct accounts *accounts = owner;
    size_t len = open->addr.version ? 0 : strlen(open->host);
    struct entry *entry = memory_new(sizeof *entry + len + 1);
    entry->session = session;
    entry->incoming = incoming;
    entry->protocol = (uint8_t)open->protocol;
    entry->port = has_ports(open->protocol) ? open->port : 0;
    entry->via = "";
    entry->began = accounts->now(accounts->clock);
    entry->addr = open->addr;
    memcpy(entry->host, open->host, len);
    table_insert(&accounts->table, &entry->node, hash_of(session));
}

static void over(void *owner, const struct usher_session *session, const struct usher_over *how)
{
    struct accounts *accounts = owner;
    struct entry *entry = find(accounts, session);
    char text[ADDRESS_TEXT_SIZE];
    if (!entry)
        return;
    struct account account = {
        .ours = !entry->incoming,
        .via = entry->via,
        .protocol = entry->protocol,
        .asked = entry->addr.version ? address_text(&entry->addr, text) : entry->host,
        .port = entry->port,
        .from = entry->from,
        .reached = entry->reached,
        .line = entry->line,
        .rule = entry->rule ? entry->rule : "",
        .received = usher_session_received(session),
        .sent = usher_session_sent(session),
        .ms = accounts->now(accounts->clock) - entry->began,
        .how = *how,
    };
    if (entry->incoming)
        usher_session_origin(session, &account.from);
    accounts->told(accounts->owner, &account);
    drop(accounts, entry);
}

const struct usher_account_ops accounts_ops = {.came = came, .over = over};

void accounts_via(struct accounts *accounts, const struct usher_session *session, const char *via)
{
    struct entry *entry = find(accounts, session);
    if (entry)
        entry->via = via;
}

void accounts_from(struct accounts *accounts, const struct usher_session *session, const struct endpoint *who)
{
    struct entry *entry = find(accounts, session);
    if (entry)
        entry->from = *who;
}

void accounts_reached(struct accounts *accounts, const struct usher_session *session, const struct endpoint *to,
                      const struct policy *policy)
{
    struct entry *entry = find(accounts, session);
    struct policy_reason reason;
    char text[ADDRESS_TEXT_SIZE];
    if (!entry)
        return;
    entry->reached = *to;
    if (!policy)
        return;
    const char *asked = entry->addr.version ? address_text(&entry->addr, text) : entry->host;
    policy_explain_session(policy, entry->protocol, asked, &to->addr, entry->port, &reason);
    free(entry->rule);
    entry->rule = memory_text(reason.text);
    entry->line = reason.line;
}
