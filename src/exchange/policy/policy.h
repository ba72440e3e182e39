// SPDX-License-Identifier: GPL-2.0-or-later
// Who may reach what: rules of `[Access NAME]`, first match wins, no match is a denial. Special addresses (loopback, the
// gate's own, link-local, multicast, cloud metadata, ...) need a rule that names them exactly, never a mere wide prefix.
#ifndef EXCHANGE_POLICY_POLICY_H
#define EXCHANGE_POLICY_POLICY_H

#include "base/address.h"
#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

struct policy;

enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_DENIED,
    POLICY_ASK_ADDRESS, // for names only: no rule decides by name alone; resolve, then judge each address
};

struct policy *policy_new(void);
void policy_free(struct policy *policy);
// One comma-separated list of rules as in usher.conf(5): "10.73.0.0/24", "tcp:10.80.0.0/16:443", "udp:[fd73::53]:53",
// "tcp:*.corp.example:22", "icmp:10.73.0.0/24". Ports may be ranges "8000-8099".
bool policy_add(struct policy *policy, bool allow, const char *rules, struct fault *fault);
// The same of a line of a file, by which its rules are known (struct policy_reason).
bool policy_add_line(struct policy *policy, bool allow, const char *rules, unsigned line, struct fault *fault);
// The gate's own addresses, and prefixes that its host answers for as a whole; replaces the earlier set.
void policy_set_local(struct policy *policy, const struct prefix *prefixes, size_t count);

// Protocol 0 asks whether some session could be allowed, of whatever protocol and port.

// Judges a host name before it is resolved: ALLOWED when a name rule allows it (its addresses must still pass
// policy_judge), DENIED when no rule could allow it.
enum policy_verdict policy_judge_name(const struct policy *policy, uint8_t protocol, const char *host, uint16_t port);
// Judges an address that `host` resolved to (NULL when the peer named the address itself). First match wins with both
// known: a rule matches by the name or by the address. An IPv4 address inside an IPv6 one is judged too.
enum policy_verdict policy_judge(const struct policy *policy, uint8_t protocol, const char *host,
                                 const struct address *addr, uint16_t port);

enum { POLICY_REASON_SIZE = 384 };

// Why it was judged so.
struct policy_reason {
    unsigned line;                 // of the rule that decided; 0: none did, or it stands in no file
    char text[POLICY_REASON_SIZE]; // that rule, "no rule allows it", or what such an address needs
};

// The same judging, and what decided.
enum policy_verdict policy_explain_name(const struct policy *policy, uint8_t protocol, const char *host, uint16_t port,
                                        struct policy_reason *reason);
enum policy_verdict policy_explain(const struct policy *policy, uint8_t protocol, const char *host,
                                   const struct address *addr, uint16_t port, struct policy_reason *reason);
// Of a session, by what was asked for, a name or an address as text, and where that was reached (version 0: it was not). An
// address that stands for another one is judged as it is, and so is its name where no rule knows the address.
void policy_explain_session(const struct policy *policy, uint8_t protocol, const char *asked,
                            const struct address *reached, uint16_t port, struct policy_reason *reason);

#endif
