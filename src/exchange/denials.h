// SPDX-License-Identifier: GPL-2.0-or-later
// The latest refusals by rules: who wanted what, and which rule said no. The same again is the same entry, with a count, so
// that whoever can be refused fills no memory and no screen; and who is refused most gives way first.
#ifndef EXCHANGE_DENIALS_H
#define EXCHANGE_DENIALS_H

#include "base/address.h"
#include "base/facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DENIALS_MAX = 64 };

// Texts are borrowed from whoever tells it.
struct denial {
    const char *who;     // whose opens; "": there is one peer
    struct address from; // of whom it is known who asked behind the peer; version 0: it is not
    uint8_t protocol;    // of IP
    const char *host;    // "": an address was asked for
    struct endpoint to;  // version 0: the name was refused, whatever its addresses; port 0: pings
    unsigned line;       // of the rule in its file; 0: no rule allows it
    const char *rule;    // or what an address like that needs
    uint64_t count;
    uint64_t first, last; // Unix time, seconds
};

struct denials;

struct denials *denials_new(void);
void denials_free(struct denials *denials);

// True, and counted, when the same was refused before, by the rules that hold now: its rule need not be looked for.
bool denials_repeat(struct denials *denials, const struct denial *denial);
// Another one, or more of one that is there.
void denials_add(struct denials *denials, const struct denial *denial);
// The rules have changed: what is told of the same from now on is another entry.
void denials_rules_changed(struct denials *denials);

// The latest entry of which something was not taken yet: its count is of that. False when there is none. Its texts live
// until the next is added.
bool denials_take(struct denials *denials, struct denial *out);

// A list "denials", the latest first; `file` is where the lines are.
void denials_describe(const struct denials *denials, const char *file, struct facts *facts);

#endif
