// SPDX-License-Identifier: GPL-2.0-or-later
// One account of each session, told once, when the session is over: who wanted what, where it went, by which rule, how much
// went each way and how it ended. An association by address may go elsewhere, too: of each far end but that which it was opened
// for there is an account of its own, of the same kind and bound to the session's. Only what has happened is known here; who
// wants accounts is told them one by one.
#ifndef EXCHANGE_ACCOUNTS_H
#define EXCHANGE_ACCOUNTS_H

#include "edge/visit.h"
#include "exchange/policy/policy.h"
#include "usher/account.h"

// Lives as long as the call; texts are the peer's own words, unescaped.
struct account {
    bool ours;               // this side has opened it
    const char *via;         // the name of the edge that serves or has opened it; "": none
    uint8_t protocol;        // of IP
    const char *asked;       // for what: a name, or an address as text
    uint16_t port;           // and which port; 0 where there are none
    struct endpoint from;    // who asked behind its entrance; version 0: nobody has said
    struct endpoint reached; // where that is; version 0: it was never known
    unsigned line;           // of the rule that decided; 0: none did
    const char *rule;        // the rule, or why none allows it; "": nobody was asked
    uint64_t received, sent; // bytes
    uint64_t ms;             // from its first word to its end
    struct usher_over how;
    // The same of an association and of all its other far ends, and of no other association of this tunnel; 0: it has none.
    uint32_t association;
};

// NULL: one of a far end that could not be kept, as there are too many of them.
typedef void account_told(void *owner, const struct account *account);

struct accounts;

// `now` is asked for the time, in ms.
struct accounts *accounts_new(uint64_t (*now)(void *clock), void *clock, account_told *told, void *owner);
// No engine may know it any more (usher_engine_keep_account).
void accounts_free(struct accounts *accounts);

// For engines, with the accounts as their owner.
extern const struct usher_account_ops accounts_ops;

// What becomes known of a session that is not over. One that is not known here does no harm.
void accounts_via(struct accounts *accounts, const struct usher_session *session, const char *via);
void accounts_from(struct accounts *accounts, const struct usher_session *session, const struct endpoint *who);
// It goes there, or was to; `policy` decides about that, and NULL about nothing.
void accounts_reached(struct accounts *accounts, const struct usher_session *session, const struct endpoint *to,
                      const struct policy *policy);
// Its datagrams go to `to`, which is at `there`, from now on, as `policy` allows. NULL: not to be counted.
struct visit *accounts_visit(struct accounts *accounts, const struct usher_session *session, const struct endpoint *to,
                             const struct address *there, const struct policy *policy);

#endif
