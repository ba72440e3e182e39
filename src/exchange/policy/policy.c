// SPDX-License-Identifier: GPL-2.0-or-later
// One ordered list of rules for one peer. First match wins and no match is a denial. An address in a special range (or
// one of the gate's own) is invisible to every Allow whose prefix is not inside that range, so a wide rule such as
// 0.0.0.0/0 steps over it and the search goes on.
#include "exchange/policy/policy.h"
#include "base/memory.h"
#include "exchange/policy/name.h"
#include "exchange/policy/rule.h"
#include "exchange/policy/special.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_RULES = 8 }; // room to begin with; doubled as needed

struct policy {
    struct policy_rule *rules;
    size_t count;
    size_t size;
    struct prefix *local; // the gate's own addresses
    size_t local_count;
};

struct policy *policy_new(void)
{
    return memory_new(sizeof(struct policy));
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    for (size_t i = 0; i < policy->count; i++)
        policy_rule_fini(&policy->rules[i]);
    free(policy->rules);
    free(policy->local);
    free(policy);
}

static bool add_one(struct policy *policy, bool allow, const char *text, unsigned line, struct fault *fault)
{
    struct policy_rule rule;
    if (!policy_rule_parse(&rule, text, fault))
        return false;
    rule.allow = allow;
    rule.line = line;
    if (policy->count == policy->size) {
        policy->size = policy->size ? policy->size * 2 : FIRST_RULES;
        policy->rules = memory_resize(policy->rules, policy->size * sizeof policy->rules[0]);
    }
    policy->rules[policy->count++] = rule;
    return true;
}

// Cuts white space off both ends, in place.
static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

bool policy_add_line(struct policy *policy, bool allow, const char *rules, unsigned line, struct fault *fault)
{
    char *copy = memory_text(rules);
    char *rest = copy;
    bool good = true;
    for (char *item = strsep(&rest, ","); good && item; item = strsep(&rest, ","))
        good = add_one(policy, allow, trim(item), line, fault);
    free(copy);
    return good;
}

bool policy_add(struct policy *policy, bool allow, const char *rules, struct fault *fault)
{
    return policy_add_line(policy, allow, rules, 0, fault);
}

void policy_set_local(struct policy *policy, const struct prefix *prefixes, size_t count)
{
    policy->local = memory_resize(policy->local, (count ? count : 1) * sizeof policy->local[0]);
    policy->local_count = 0;
    for (size_t i = 0; i < count; i++)
        // Loopback is special as a whole: a rule for 127.0.0.0/8 is clear enough.
        if (!special_is_loopback(&prefixes[i].addr))
            policy->local[policy->local_count++] = prefixes[i];
}

// The range that a rule must lie inside to open `addr`, the narrowest that holds it; NULL for an ordinary address.
static const struct prefix *range_of(const struct policy *policy, const struct address *addr)
{
    const struct prefix *narrowest = special_range(addr);
    for (size_t i = 0; i < policy->local_count; i++)
        if (prefix_contains(&policy->local[i], addr) && (!narrowest || policy->local[i].len > narrowest->len))
            narrowest = &policy->local[i];
    return narrowest;
}

struct question {
    uint8_t protocol;
    uint16_t port;
    const char *host; // NULL: none
    const struct address *addr;
    struct address inner[ADDRESS_UNWRAP_MAX]; // the IPv4 addresses that `addr` may carry
    size_t inner_count;
};

static bool prefix_contains_any(const struct prefix *prefix, const struct address *addrs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (prefix_contains(prefix, &addrs[i]))
            return true;
    return false;
}

static bool matches(const struct policy_rule *rule, const struct question *q)
{
    if (!policy_rule_covers(rule, q->protocol, q->port))
        return false;
    if (rule->name)
        return q->host && name_matches(rule->name, q->host);
    // What is denied stays denied in every wrapping; an Allow for the inner address says nothing about the outer one.
    return prefix_contains(&rule->prefix, q->addr) ||
           (!rule->allow && prefix_contains_any(&rule->prefix, q->inner, q->inner_count));
}

// What decided, and about which address: the one asked about, or one that it carries.
struct finding {
    const struct policy_rule *rule; // NULL: none did
    const struct address *addr;
    bool stepped_over; // an Allow that does not mean the range that the address is in
};

static bool is_allowed(const struct policy *policy, const struct question *q, struct finding *finding)
{
    const struct prefix *range = range_of(policy, q->addr);
    *finding = (struct finding){.addr = q->addr};
    for (size_t i = 0; i < policy->count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (!matches(rule, q))
            continue;
        finding->rule = rule;
        if (!rule->allow)
            return false;
        if (!range || (!rule->name && prefix_is_inside(&rule->prefix, range)))
            return true;
        finding->rule = NULL;
        finding->stepped_over = true;
    }
    return false;
}

static bool is_mapped(const struct address *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; // ::ffff:0:0/96, RFC 4291 section 2.5.5.2
    return addr->version == 6 && memcmp(addr->bytes, mapped, sizeof mapped) == 0;
}

// Whether what `q` carries is special and not allowed on its own.
static bool carries_forbidden(const struct policy *policy, const struct question *q, struct finding *finding)
{
    for (size_t i = 0; i < q->inner_count; i++) {
        struct question inside = {.protocol = q->protocol, .port = q->port, .host = q->host, .addr = &q->inner[i]};
        if (range_of(policy, &q->inner[i]) && !is_allowed(policy, &inside, finding))
            return true;
    }
    return false;
}

static bool judge(const struct policy *policy, struct question *q, struct finding *finding)
{
    // An address that is special by itself needs a rule of its own anyway (and ::1 carries nothing).
    if (!range_of(policy, q->addr))
        q->inner_count = address_unwrap_v4(q->addr, q->inner);
    // A socket takes a mapped address as the IPv4 address it is; so do the rules.
    if (q->inner_count && is_mapped(q->addr)) {
        q->addr = &q->inner[0];
        q->inner_count = 0;
    }
    return !carries_forbidden(policy, q, finding) && is_allowed(policy, q, finding);
}

enum policy_verdict policy_judge(const struct policy *policy, uint8_t protocol, const char *host,
                                 const struct address *addr, uint16_t port)
{
    struct question q = {.protocol = protocol, .port = port, .host = host, .addr = addr};
    struct finding finding;
    return judge(policy, &q, &finding) ? POLICY_ALLOWED : POLICY_DENIED;
}

// The rule that decides about the name, NULL for none; `may_allow`: one for addresses may allow it.
static const struct policy_rule *find_by_name(const struct policy *policy, uint8_t protocol, const char *host,
                                              uint16_t port, bool *may_allow)
{
    *may_allow = false;
    for (size_t i = 0; i < policy->count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (!policy_rule_covers(rule, protocol, port))
            continue;
        if (!rule->name)
            *may_allow = *may_allow || rule->allow;
        else if (name_matches(rule->name, host))
            return rule;
    }
    return NULL;
}

static enum policy_verdict judge_name(const struct policy *policy, uint8_t protocol, const char *host, uint16_t port,
                                      const struct policy_rule **rule)
{
    bool may_allow;
    *rule = find_by_name(policy, protocol, host, port, &may_allow);
    if (*rule && (*rule)->allow)
        return POLICY_ALLOWED;
    return may_allow ? POLICY_ASK_ADDRESS : POLICY_DENIED;
}

enum policy_verdict policy_judge_name(const struct policy *policy, uint8_t protocol, const char *host, uint16_t port)
{
    const struct policy_rule *rule;
    return judge_name(policy, protocol, host, port, &rule);
}

static void name_rule(struct policy_reason *reason, const struct policy_rule *rule)
{
    char text[POLICY_RULE_TEXT_SIZE];
    reason->line = rule ? rule->line : 0;
    snprintf(reason->text, sizeof reason->text, "%s", rule ? policy_rule_text(rule, text) : "no rule allows it");
}

enum policy_verdict policy_explain_name(const struct policy *policy, uint8_t protocol, const char *host, uint16_t port,
                                        struct policy_reason *reason)
{
    const struct policy_rule *rule;
    enum policy_verdict verdict = judge_name(policy, protocol, host, port, &rule);
    name_rule(reason, verdict == POLICY_ASK_ADDRESS ? NULL : rule);
    if (verdict == POLICY_ASK_ADDRESS)
        snprintf(reason->text, sizeof reason->text, "no rule decides by the name alone: its addresses are judged");
    return verdict;
}

enum policy_verdict policy_explain(const struct policy *policy, uint8_t protocol, const char *host,
                                   const struct address *addr, uint16_t port, struct policy_reason *reason)
{
    struct question q = {.protocol = protocol, .port = port, .host = host, .addr = addr};
    struct finding finding;
    char range[PREFIX_TEXT_SIZE], text[ADDRESS_TEXT_SIZE];
    bool allowed = judge(policy, &q, &finding);
    name_rule(reason, finding.rule);
    if (finding.stepped_over && !finding.rule)
        snprintf(reason->text, sizeof reason->text,
                 "%s is in %s, which is special or this host's own: only a rule for an address or prefix within that "
                 "allows it",
                 address_text(finding.addr, text), prefix_text(range_of(policy, finding.addr), range));
    return allowed ? POLICY_ALLOWED : POLICY_DENIED;
}

void policy_explain_session(const struct policy *policy, uint8_t protocol, const char *asked,
                            const struct address *reached, uint16_t port, struct policy_reason *reason)
{
    struct address addr;
    if (address_parse(&addr, asked)) {
        policy_explain(policy, protocol, NULL, &addr, port, reason);
        return;
    }
    enum policy_verdict verdict = POLICY_DENIED;
    struct policy_reason by_name;
    if (reached->version)
        verdict = policy_explain(policy, protocol, asked, reached, port, reason);
    if (verdict == POLICY_ALLOWED)
        return;
    verdict = policy_explain_name(policy, protocol, asked, port, &by_name);
    if (verdict == POLICY_ALLOWED || !reached->version)
        *reason = by_name;
}
