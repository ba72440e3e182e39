// SPDX-License-Identifier: GPL-2.0-or-later
// A table by session. It stands beside the sessions, which are as small as they are because nobody needs this of them.
#include "exchange/accounts.h"

#include "base/bucket.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"
#include "usher/session.h"

#include <stdlib.h>
#include <string.h>

// Far ends beyond an association's own: a socket finds new ones faster than anybody could write, or wants to read.
enum { VISITS_MAX = 4096, VISITS_PER_SECOND = 1000 };

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
    struct journey *journey; // NULL: the session's own figures are those of its far end
    struct address addr;     // that was asked for; version 0: `host`
    char host[];
};

// What an association has that counts by far end.
struct journey {
    struct list stays;       // that go on
    bool own_came;           // the far end that the session was opened for is or was among them
    uint64_t received, sent; // of that one, once it has ended
    uint32_t association;    // 0: it never had another
};

// One far end of it. Its memory is the edge's, until that calls `over`.
struct stay {
    struct visit visit;  // first
    struct list node;    // in entry->journey
    struct entry *entry; // NULL: it has been told of, or nobody wants to hear of it any more
    struct accounts *accounts;
    bool is_own; // it is that which the session was opened for, and counts for the session's account
    unsigned line;
    char *rule;
    uint64_t began;
    struct endpoint to;
    struct address there;
};

struct accounts {
    struct table table;
    struct bucket visits_due; // those of associations' other far ends
    uint32_t visits;          // of them that go on
    uint32_t associations;    // that ever had any
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
    bucket_init(&accounts->visits_due, VISITS_PER_SECOND, VISITS_MAX, now(clock) * USEC_PER_MSEC);
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

static struct stay *stay_of(struct list *node)
{
    return container_of(node, struct stay, node);
}

static void let_go(struct stay *stay)
{
    if (stay->is_own) {
        stay->entry->journey->received += stay->visit.received;
        stay->entry->journey->sent += stay->visit.sent;
    } else {
        stay->accounts->visits--;
    }
    list_remove(&stay->node);
    stay->entry = NULL;
}

static void drop(struct accounts *accounts, struct entry *entry)
{
    while (entry->journey && !list_is_empty(&entry->journey->stays))
        let_go(stay_of(entry->journey->stays.next));
    free(entry->journey);
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

// Who asked for the session's, as far as that is known.
static struct endpoint asked_by(const struct entry *entry)
{
    struct endpoint who = entry->from;
    if (entry->incoming)
        usher_session_origin(entry->session, &who);
    return who;
}

static void tell_stay(const struct stay *stay, const struct usher_over *how)
{
    const struct entry *entry = stay->entry;
    struct accounts *accounts = stay->accounts;
    char text[ADDRESS_TEXT_SIZE];
    const struct account account = {
        .ours = !entry->incoming,
        .via = entry->via,
        .protocol = entry->protocol,
        .asked = address_text(&stay->to.addr, text),
        .port = stay->to.port,
        .from = asked_by(entry),
        .reached = {.addr = stay->there, .port = stay->to.port},
        .line = stay->line,
        .rule = stay->rule,
        .received = stay->visit.received,
        .sent = stay->visit.sent,
        .ms = accounts->now(accounts->clock) - stay->began,
        .how = *how,
        .association = entry->journey->association,
    };
    accounts->told(accounts->owner, &account);
}

static void end_stay(struct stay *stay, const struct usher_over *how)
{
    if (!stay->is_own)
        tell_stay(stay, how);
    let_go(stay);
}

static void visit_over(struct visit *visit, enum visit_end end)
{
    static const struct usher_over ends[VISIT_ENDS] = {
        [VISIT_OVER] = {.ending = USHER_ENDED_CLOSED, .text = ""},
        [VISIT_GAVE_WAY] = {.ending = USHER_ENDED_CLOSED, .text = "gave way to another far end"},
        [VISIT_DENIED] = {.ending = USHER_ENDED_RESET,
                          .by_us = true,
                          .word = USHER_DENIED,
                          .text = "not permitted any more"},
    };
    struct stay *stay = container_of(visit, struct stay, visit);
    if (stay->entry)
        end_stay(stay, &ends[end]);
    free(stay->rule);
    free(stay);
}

static void over(void *owner, const struct usher_session *session, const struct usher_over *how)
{
    struct accounts *accounts = owner;
    struct entry *entry = find(accounts, session);
    char text[ADDRESS_TEXT_SIZE];
    if (!entry)
        return;
    const struct journey *journey = entry->journey;
    while (journey && !list_is_empty(&journey->stays))
        end_stay(stay_of(journey->stays.next), how);
    const struct account account = {
        .ours = !entry->incoming,
        .via = entry->via,
        .protocol = entry->protocol,
        .asked = entry->addr.version ? address_text(&entry->addr, text) : entry->host,
        .port = entry->port,
        .from = asked_by(entry),
        .reached = entry->reached,
        .line = entry->line,
        .rule = entry->rule ? entry->rule : "",
        .received = journey ? journey->received : usher_session_received(session),
        .sent = journey ? journey->sent : usher_session_sent(session),
        .ms = accounts->now(accounts->clock) - entry->began,
        .how = *how,
        .association = journey ? journey->association : 0,
    };
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

static struct journey *journey_new(void)
{
    struct journey *journey = memory_new(sizeof *journey);
    list_init(&journey->stays);
    return journey;
}

static struct stay *stay_new(struct accounts *accounts, struct entry *entry, const struct endpoint *to)
{
    struct stay *stay = memory_new(sizeof *stay);
    stay->visit.over = visit_over;
    stay->accounts = accounts;
    stay->entry = entry;
    stay->to = *to;
    stay->began = accounts->now(accounts->clock);
    list_push_back(&entry->journey->stays, &stay->node);
    return stay;
}

static bool has_room(struct accounts *accounts)
{
    return accounts->visits < VISITS_MAX &&
           bucket_take(&accounts->visits_due, accounts->now(accounts->clock) * USEC_PER_MSEC);
}

static struct visit *visit_another(struct accounts *accounts, struct entry *entry, const struct endpoint *to,
                                   const struct address *there, const struct policy *policy)
{
    struct policy_reason reason = {.text = ""};
    if (!has_room(accounts)) {
        accounts->told(accounts->owner, NULL);
        return NULL;
    }
    if (!entry->journey->association)
        entry->journey->association = ++accounts->associations;
    struct stay *stay = stay_new(accounts, entry, to);
    stay->there = *there;
    if (policy)
        policy_explain(policy, entry->protocol, NULL, &to->addr, to->port, &reason);
    stay->rule = memory_text(reason.text);
    stay->line = reason.line;
    accounts->visits++;
    return &stay->visit;
}

struct visit *accounts_visit(struct accounts *accounts, const struct usher_session *session, const struct endpoint *to,
                             const struct address *there, const struct policy *policy)
{
    struct entry *entry = find(accounts, session);
    if (!entry)
        return NULL;
    if (!entry->journey)
        entry->journey = journey_new();
    bool is_own = !entry->journey->own_came && entry->port == to->port && address_equal(&entry->addr, &to->addr);
    if (!is_own)
        return visit_another(accounts, entry, to, there, policy);
    entry->journey->own_came = true;
    struct stay *stay = stay_new(accounts, entry, to);
    stay->is_own = true;
    return &stay->visit;
}
