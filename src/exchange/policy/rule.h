// SPDX-License-Identifier: GPL-2.0-or-later
// One rule of `Allow` or `Deny`, and its grammar:
//
//     rule   = [ ("tcp" | "udp" | "icmp") ":" ] target [ ":" ports ]
//     target = IPv4 or IPv6 address or prefix, version 6 in brackets when ports follow | name | "*." name
//     ports  = number | number "-" number                               (tcp and udp only)
#ifndef EXCHANGE_POLICY_RULE_H
#define EXCHANGE_POLICY_RULE_H

#include "base/address.h"
#include "base/fault.h"

struct policy_rule {
    char *name;           // a pattern of name.h, owned; NULL: `prefix` counts
    struct prefix prefix; // of addresses
    uint16_t first_port;
    uint16_t last_port;
    uint8_t protocol; // IP protocol number, 0 is every one; ICMP stands for ICMPv6 too
    bool allow;
    unsigned line; // of the file that has it; 0: of none
};

enum { POLICY_RULE_TEXT_SIZE = 320 }; // a name of 253 bytes with its protocol and ports, and some spare

// Reads one rule; `allow` is the caller's. On failure the sentence quotes the rule.
bool policy_rule_parse(struct policy_rule *out, const char *text, struct fault *fault);
void policy_rule_fini(struct policy_rule *rule);
// As it would be written: "Deny = tcp:10.80.0.0/16:443". Returns `room`.
const char *policy_rule_text(const struct policy_rule *rule, char room[POLICY_RULE_TEXT_SIZE]);
// Whether the rule is about this protocol and port at all, whatever its target. Protocol 0: about some of all there are, if
// it allows, and about all of them, if it denies.
bool policy_rule_covers(const struct policy_rule *rule, uint8_t protocol, uint16_t port);

#endif
