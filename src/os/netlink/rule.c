// SPDX-License-Identifier: GPL-2.0-or-later
// Policy rules (ip-rule(8)). Written as messages: libnl's rule objects know neither "not" nor suppress_prefixlength.
#include "os/netlink/internal.h"
#include "os/netlink/netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

static struct nl_msg *message(const struct netlink_rule *rule)
{
    const struct fib_rule_hdr head = {
        .family = (uint8_t)rule->family,
        .dst_len = rule->to.addr.version ? rule->to.len : 0,
        .table = RT_TABLE_UNSPEC, // FRA_TABLE says, being wide enough
        .action = FR_ACT_TO_TBL,
        .flags = rule->invert ? FIB_RULE_INVERT : 0,
    };
    struct nl_msg *msg = netlink_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    const uint8_t protocol = RTPROT_STATIC;
    netlink_put(msg, FRA_PROTOCOL, &protocol, sizeof protocol);
    netlink_put_u32(msg, FRA_PRIORITY, rule->priority);
    netlink_put_u32(msg, FRA_TABLE, rule->table);
    if (head.dst_len > 0)
        netlink_put_address(msg, FRA_DST, &rule->to.addr);
    if (rule->fwmark) {
        netlink_put_u32(msg, FRA_FWMARK, rule->fwmark);
        netlink_put_u32(msg, FRA_FWMASK, UINT32_MAX);
    }
    if (rule->suppress_prefixlen >= 0)
        netlink_put_u32(msg, FRA_SUPPRESS_PREFIXLEN, (uint32_t)rule->suppress_prefixlen);
    return msg;
}

bool netlink_rule_add(struct netlink *nl, const struct netlink_rule *rule, struct fault *fault)
{
    int error = netlink_request(nl, message(rule));
    return !error || error == EEXIST ||
           fault_errno(fault, error, "rule %u of IPv%d for table %u: add", rule->priority,
                       rule->family == AF_INET6 ? 6 : 4, rule->table);
}

static uint32_t u32_of(struct nlattr *attribute, uint32_t without)
{
    return attribute ? nla_get_u32(attribute) : without;
}

// The selectors that we never set: a rule that has one of them is not ours.
static bool has_other_selector(struct nlattr **attrs)
{
    return attrs[FRA_SRC] || attrs[FRA_IIFNAME] || attrs[FRA_OIFNAME] || attrs[FRA_IP_PROTO] ||
           attrs[FRA_SPORT_RANGE] || attrs[FRA_DPORT_RANGE] || attrs[FRA_UID_RANGE];
}

static bool is_it(const struct nlmsghdr *hdr, const struct netlink_rule *want)
{
    const struct fib_rule_hdr *head = nlmsg_data(hdr);
    struct nlattr *attrs[FRA_MAX + 1];
    if (hdr->nlmsg_type != RTM_NEWRULE || nlmsg_parse((struct nlmsghdr *)hdr, sizeof *head, attrs, FRA_MAX, NULL) < 0)
        return false;
    struct address to = netlink_address(attrs[FRA_DST]);
    uint8_t len = want->to.addr.version ? want->to.len : 0;
    return head->action == FR_ACT_TO_TBL && !(head->flags & FIB_RULE_INVERT) == !want->invert && head->dst_len == len &&
           (len == 0 || address_equal(&to, &want->to.addr)) && u32_of(attrs[FRA_TABLE], head->table) == want->table &&
           u32_of(attrs[FRA_PRIORITY], 0) == want->priority && u32_of(attrs[FRA_FWMARK], 0) == want->fwmark &&
           (int)u32_of(attrs[FRA_SUPPRESS_PREFIXLEN], UINT32_MAX) == want->suppress_prefixlen &&
           !has_other_selector(attrs);
}

struct search {
    const struct netlink_rule *rule;
    bool found;
    struct netlink_heap heap; // of those that are found, for deleting them
};

static void compare(struct nlmsghdr *hdr, void *owner)
{
    struct search *search = owner;
    search->found |= is_it(hdr, search->rule);
}

static void collect(struct nlmsghdr *hdr, void *owner)
{
    struct search *search = owner;
    if (is_it(hdr, search->rule))
        netlink_heap_add(&search->heap, hdr);
}

static int dump(struct netlink *nl, int family, void (*each)(struct nlmsghdr *, void *), void *owner)
{
    const struct fib_rule_hdr head = {.family = (uint8_t)family};
    return netlink_dump(nl, netlink_message(RTM_GETRULE, NLM_F_DUMP, &head, sizeof head), each, owner);
}

bool netlink_rule_exists(struct netlink *nl, const struct netlink_rule *rule)
{
    struct search search = {.rule = rule};
    dump(nl, rule->family, compare, &search);
    return search.found;
}

bool netlink_rule_delete(struct netlink *nl, const struct netlink_rule *rule, struct fault *fault)
{
    struct search search = {.rule = rule};
    int seen = dump(nl, rule->family, collect, &search);
    int error = netlink_heap_send(nl, &search.heap, RTM_DELRULE);
    return (!seen && !error) ||
           fault_errno(fault, seen ? seen : error, "rule %u for table %u: delete", rule->priority, rule->table);
}

struct sweep {
    uint32_t table;
    uint32_t first;
    uint32_t last;
    struct netlink_heap heap;
};

static void gather(struct nlmsghdr *hdr, void *owner)
{
    struct sweep *sweep = owner;
    const struct fib_rule_hdr *head = nlmsg_data(hdr);
    struct nlattr *attrs[FRA_MAX + 1];
    if (hdr->nlmsg_type != RTM_NEWRULE || nlmsg_parse(hdr, sizeof *head, attrs, FRA_MAX, NULL) < 0)
        return;
    uint32_t priority = u32_of(attrs[FRA_PRIORITY], 0);
    if (u32_of(attrs[FRA_TABLE], head->table) == sweep->table || (priority >= sweep->first && priority <= sweep->last))
        netlink_heap_add(&sweep->heap, hdr);
}

static int purge(struct netlink *nl, int family, uint32_t table, uint32_t first, uint32_t last)
{
    struct sweep sweep = {.table = table, .first = first, .last = last};
    int seen = dump(nl, family, gather, &sweep);
    int sent = netlink_heap_send(nl, &sweep.heap, RTM_DELRULE);
    return seen ? seen : sent;
}

bool netlink_table_purge(struct netlink *nl, uint32_t table, uint32_t first, uint32_t last, struct fault *fault)
{
    // The host's own tables hold what others put there; purging one would cut the machine off.
    if (table == RT_TABLE_UNSPEC || (table >= RT_TABLE_DEFAULT && table <= RT_TABLE_LOCAL))
        return fault_set(fault, "table %u belongs to the system and is not purged", table);
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        int error = purge(nl, families[i], table, first, last);
        if (error)
            return fault_errno(fault, error, "rules for table %u: delete", table);
        error = netlink_route_purge(nl, families[i], table);
        if (error)
            return fault_errno(fault, error, "routes in table %u: delete", table);
    }
    return true;
}
