// SPDX-License-Identifier: GPL-2.0-or-later
// The grammar of rules, read in the order protocol, target, ports. Whatever is not exactly a rule is an error whose
// sentence says what was found and what would be right: a rule misread is a hole in the policy.
#include "exchange/policy/rule.h"
#include "base/memory.h"
#include "base/protocol.h"
#include "exchange/policy/name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PORT_MAX = 65535 };

// The parts of one rule, cut apart in place.
struct parts {
    const char *rule; // as written, for the fault
    char *target;
    char *ports; // NULL: none given
    struct fault *fault;
};

static bool all_of(const char *text, const char *set)
{
    return text[0] != '\0' && text[strspn(text, set)] == '\0';
}

static bool parse_protocol(uint8_t *out, const char *word, size_t len)
{
    char text[8];
    if (len >= sizeof text)
        return false;
    memcpy(text, word, len);
    text[len] = '\0';
    return protocol_parse(out, text);
}

// "a:b" where a is no protocol: either somebody forgot the protocol or named one that sessions do not carry.
static bool fault_protocol(const struct parts *p, const char *colon)
{
    if (all_of(colon + 1, "0123456789-"))
        return fault_set(p->fault, "rule \"%s\": a port needs its protocol in front, such as tcp:%s", p->rule, p->rule);
    return fault_set(p->fault, "rule \"%s\": \"%.*s\" is no protocol; write tcp, udp or icmp (which covers ICMPv6)",
                     p->rule, (int)(colon - p->target), p->target);
}

// "[v6]", "[v6/64]" or "[v6]/64", each perhaps with ":ports". Leaves "v6" or "v6/64" as the target.
static bool split_bracketed(struct parts *p)
{
    char *close = strchr(p->target, ']');
    if (!close)
        return fault_set(p->fault, "rule \"%s\": the bracket is not closed", p->rule);
    char *rest = close + 1;
    size_t len = strcspn(rest, ":");
    if (len > 0 && rest[0] != '/')
        return fault_set(p->fault, "rule \"%s\": only a prefix length or a port may follow the bracket", p->rule);
    if (rest[len] == ':')
        p->ports = rest + len + 1;
    rest[len] = '\0';
    memmove(close, rest, len + 1);
    p->target++;
    if (!strchr(p->target, ':'))
        return fault_set(p->fault, "rule \"%s\": brackets are for IPv6 addresses", p->rule);
    return true;
}

static bool split(struct policy_rule *out, struct parts *p)
{
    char *colon = strchr(p->target, ':');
    if (colon && p->target[0] != '[' && parse_protocol(&out->protocol, p->target, (size_t)(colon - p->target)))
        p->target = colon + 1;
    if (p->target[0] == '[')
        return split_bracketed(p);
    colon = strchr(p->target, ':');
    // Two colons are an IPv6 address, which has no room for a port outside brackets.
    if (!colon || (strchr(colon + 1, ':') && all_of(p->target, "0123456789abcdefABCDEF:./")))
        return true;
    if (out->protocol == 0)
        return fault_protocol(p, colon);
    *colon = '\0';
    p->ports = colon + 1;
    return true;
}

static bool port_parse(uint16_t *out, const char *digits, size_t len)
{
    unsigned value = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)digits[i]))
            return false;
        value = value * 10 + (unsigned)(digits[i] - '0');
    }
    *out = (uint16_t)value;
    return value >= 1 && value <= PORT_MAX;
}

static bool ports_parse(struct policy_rule *out, const struct parts *p)
{
    out->first_port = 0;
    out->last_port = PORT_MAX;
    if (!p->ports)
        return true;
    if (out->protocol != IPPROTO_TCP && out->protocol != IPPROTO_UDP)
        return fault_set(p->fault, "rule \"%s\": only tcp and udp have ports", p->rule);
    const char *dash = strchr(p->ports, '-');
    size_t len = dash ? (size_t)(dash - p->ports) : strlen(p->ports);
    if (!port_parse(&out->first_port, p->ports, len))
        return fault_set(p->fault, "rule \"%s\": \"%.*s\" is no port (1 to 65535)", p->rule, (int)len, p->ports);
    out->last_port = out->first_port;
    if (dash && !port_parse(&out->last_port, dash + 1, strlen(dash + 1)))
        return fault_set(p->fault, "rule \"%s\": \"%s\" is no port (1 to 65535)", p->rule, dash + 1);
    if (out->last_port < out->first_port)
        return fault_set(p->fault, "rule \"%s\": the port range runs backwards", p->rule);
    return true;
}

// Why prefix_parse said no.
static bool fault_prefix(const struct parts *p)
{
    char *slash = strchr(p->target, '/');
    if (slash)
        *slash = '\0';
    struct address addr;
    if (!address_parse(&addr, p->target))
        return fault_set(p->fault, "rule \"%s\": \"%s\" is no address", p->rule, p->target);
    unsigned longest = addr.version == 4 ? 32 : 128;
    unsigned long len = slash && all_of(slash + 1, "0123456789") ? strtoul(slash + 1, NULL, 10) : longest + 1;
    if (len > longest)
        return fault_set(p->fault, "rule \"%s\": the prefix length is not a number from 0 to %u", p->rule, longest);
    // Clear the host bits to show what was perhaps meant.
    for (unsigned bit = (unsigned)len; bit < longest; bit++)
        addr.bytes[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
    char text[ADDRESS_TEXT_SIZE];
    return fault_set(p->fault, "rule \"%s\": the address has bits behind the prefix; write %s/%lu, or %s alone",
                     p->rule, address_text(&addr, text), len, p->target);
}

static bool target_parse(struct policy_rule *out, const struct parts *p)
{
    const char *target = p->target;
    if (prefix_parse(&out->prefix, target))
        return true;
    // Digits and dots are a mistyped address, never a name.
    if (strpbrk(target, ":/") || all_of(target, "0123456789."))
        return fault_prefix(p);
    if (!name_pattern_is_valid(target))
        return fault_set(p->fault,
                         "rule \"%s\": \"%s\" is neither an address nor a host name (host.example, *.example)", p->rule,
                         target);
    out->name = memory_text(target);
    return true;
}

bool policy_rule_parse(struct policy_rule *out, const char *text, struct fault *fault)
{
    char copy[POLICY_RULE_TEXT_SIZE];
    size_t len = strlen(text);
    if (len == 0)
        return fault_set(fault, "a rule is missing: between commas stands one each");
    if (len >= sizeof copy)
        return fault_set(fault, "rule \"%.40s...\" is too long", text);
    memcpy(copy, text, len + 1);
    struct parts parts = {.rule = text, .target = copy, .fault = fault};
    *out = (struct policy_rule){0};
    return split(out, &parts) && ports_parse(out, &parts) && target_parse(out, &parts);
}

static bool has_ports(const struct policy_rule *rule)
{
    return rule->first_port > 0 || rule->last_port < PORT_MAX;
}

static const char *target_text(const struct policy_rule *rule, char room[PREFIX_TEXT_SIZE + 2])
{
    char prefix[PREFIX_TEXT_SIZE];
    bool bracketed = rule->prefix.addr.version == 6 && has_ports(rule);
    snprintf(room, PREFIX_TEXT_SIZE + 2, bracketed ? "[%s]" : "%s", prefix_text(&rule->prefix, prefix));
    return room;
}

const char *policy_rule_text(const struct policy_rule *rule, char room[POLICY_RULE_TEXT_SIZE])
{
    char target[PREFIX_TEXT_SIZE + 2], ports[16] = "";
    if (rule->first_port < rule->last_port && has_ports(rule))
        snprintf(ports, sizeof ports, ":%u-%u", rule->first_port, rule->last_port);
    else if (has_ports(rule))
        snprintf(ports, sizeof ports, ":%u", rule->first_port);
    snprintf(room, POLICY_RULE_TEXT_SIZE, "%s = %s%s%s%s", rule->allow ? "Allow" : "Deny",
             rule->protocol ? protocol_text(rule->protocol) : "", rule->protocol ? ":" : "",
             rule->name ? rule->name : target_text(rule, target), ports);
    return room;
}

void policy_rule_fini(struct policy_rule *rule)
{
    free(rule->name);
}

bool policy_rule_covers(const struct policy_rule *rule, uint8_t protocol, uint16_t port)
{
    if (protocol == 0)
        return rule->allow || (rule->protocol == 0 && rule->first_port == 0 && rule->last_port == UINT16_MAX);
    if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
        return rule->protocol == 0 || rule->protocol == IPPROTO_ICMP;
    return (rule->protocol == 0 || rule->protocol == protocol) && port >= rule->first_port && port <= rule->last_port;
}
