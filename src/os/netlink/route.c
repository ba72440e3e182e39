// SPDX-License-Identifier: GPL-2.0-or-later
// Routes. Written as messages rather than libnl's route objects, which know no congestion control metric.
#include "os/netlink/internal.h"
#include "os/netlink/netlink.h"

#include <linux/rtnetlink.h>
#include <string.h>

// A v6 route without a metric gets this one (IP6_RT_PRIO_USER); v4 has 0.
enum { V6_METRIC_DEFAULT = 1024 };

static uint32_t metric_of(const struct netlink_route *route)
{
    return route->metric == 0 && route->to.addr.version == 6 ? V6_METRIC_DEFAULT : route->metric;
}

// As ip-route(8) sets them: a device route without a gateway reaches the link.
static uint8_t scope_of(const struct netlink_route *route)
{
    return route->unreachable || route->to.addr.version == 6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
}

static struct nl_msg *message(const struct netlink_route *route)
{
    const struct rtmsg head = {
        .rtm_family = (uint8_t)netlink_family(&route->to.addr),
        .rtm_dst_len = route->to.len,
        .rtm_table = RT_TABLE_UNSPEC, // RTA_TABLE says, being wide enough
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = scope_of(route),
        .rtm_type = route->unreachable ? RTN_UNREACHABLE : RTN_UNICAST,
    };
    struct nl_msg *msg = netlink_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof head);
    netlink_put_u32(msg, RTA_TABLE, route->table);
    netlink_put_address(msg, RTA_DST, &route->to.addr);
    if (metric_of(route))
        netlink_put_u32(msg, RTA_PRIORITY, metric_of(route));
    if (!route->unreachable)
        netlink_put_u32(msg, RTA_OIF, route->ifindex);
    return msg;
}

static void put_congestion(struct nl_msg *msg, const char *name)
{
    struct nlattr *metrics = nla_nest_start(msg, RTA_METRICS);
    netlink_put(msg, RTAX_CC_ALGO, name, strlen(name) + 1);
    nla_nest_end(msg, metrics);
}

bool netlink_route_add(struct netlink *nl, const struct netlink_route *route, struct fault *fault)
{
    struct nl_msg *msg = message(route);
    if (route->source.version)
        netlink_put_address(msg, RTA_PREFSRC, &route->source);
    if (route->congestion)
        put_congestion(msg, route->congestion);
    int error = netlink_request(nl, msg);
    char text[PREFIX_TEXT_SIZE];
    return !error || fault_errno(fault, error, "route %s%s in table %u: add", route->unreachable ? "unreachable " : "",
                                 prefix_text(&route->to, text), route->table);
}

static uint32_t u32_of(struct nlattr *attribute)
{
    return attribute ? nla_get_u32(attribute) : 0;
}

static bool is_it(const struct nlmsghdr *hdr, const struct netlink_route *want)
{
    const struct rtmsg *rt = nlmsg_data(hdr);
    struct nlattr *attrs[RTA_MAX + 1];
    if (hdr->nlmsg_type != RTM_NEWROUTE || nlmsg_parse((struct nlmsghdr *)hdr, sizeof *rt, attrs, RTA_MAX, NULL) < 0)
        return false;
    // The kernel leaves RTA_DST out of a default route; its address is all zeros in ours.
    struct address to = netlink_address(attrs[RTA_DST]);
    to.version = want->to.addr.version;
    return rt->rtm_type == (want->unreachable ? RTN_UNREACHABLE : RTN_UNICAST) && rt->rtm_dst_len == want->to.len &&
           address_equal(&to, &want->to.addr) && u32_of(attrs[RTA_TABLE]) == want->table &&
           u32_of(attrs[RTA_PRIORITY]) == metric_of(want) &&
           (want->unreachable || u32_of(attrs[RTA_OIF]) == want->ifindex);
}

struct search {
    const struct netlink_route *route;
    bool found;
    struct netlink_heap heap; // of those that are found, for deleting them
};

static void compare(struct nlmsghdr *hdr, void *owner)
{
    struct search *search = owner;
    search->found |= is_it(hdr, search->route);
}

static void collect(struct nlmsghdr *hdr, void *owner)
{
    struct search *search = owner;
    if (is_it(hdr, search->route))
        netlink_heap_add(&search->heap, hdr);
}

// A dump of one table of one family; `each` must look at the table again, for kernels that do not filter.
static int dump_table(struct netlink *nl, int family, uint32_t table, void (*each)(struct nlmsghdr *, void *),
                      void *owner)
{
    const struct rtmsg head = {.rtm_family = (uint8_t)family};
    struct nl_msg *msg = netlink_message(RTM_GETROUTE, NLM_F_DUMP, &head, sizeof head);
    netlink_put_u32(msg, RTA_TABLE, table);
    return netlink_dump(nl, msg, each, owner);
}

bool netlink_route_exists(struct netlink *nl, const struct netlink_route *route)
{
    struct search search = {.route = route};
    dump_table(nl, netlink_family(&route->to.addr), route->table, compare, &search);
    return search.found;
}

bool netlink_route_delete(struct netlink *nl, const struct netlink_route *route, struct fault *fault)
{
    struct search search = {.route = route};
    char text[PREFIX_TEXT_SIZE];
    int seen = dump_table(nl, netlink_family(&route->to.addr), route->table, collect, &search);
    int error = netlink_heap_send(nl, &search.heap, RTM_DELROUTE);
    return (!seen && !error) || fault_errno(fault, seen ? seen : error, "route %s in table %u: delete",
                                            prefix_text(&route->to, text), route->table);
}

// Sorted by metric as they come: there are few.
struct uplinks {
    unsigned *devices;
    size_t count, max;
    uint32_t metrics[NETLINK_UPLINKS_MAX];
};

static void note_uplink(struct uplinks *uplinks, unsigned device, uint32_t metric)
{
    size_t at = uplinks->count;
    for (size_t i = 0; i < uplinks->count; i++)
        if (uplinks->devices[i] == device)
            return; // routes of one family come in the order of their metrics
    if (uplinks->count == uplinks->max)
        return;
    for (; at > 0 && uplinks->metrics[at - 1] > metric; at--) {
        uplinks->metrics[at] = uplinks->metrics[at - 1];
        uplinks->devices[at] = uplinks->devices[at - 1];
    }
    uplinks->metrics[at] = metric;
    uplinks->devices[at] = device;
    uplinks->count++;
}

static void note_default(struct nlmsghdr *hdr, void *owner)
{
    const struct rtmsg *rt = nlmsg_data(hdr);
    struct nlattr *attrs[RTA_MAX + 1];
    if (hdr->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(hdr, sizeof *rt, attrs, RTA_MAX, NULL) < 0)
        return;
    if (rt->rtm_type == RTN_UNICAST && rt->rtm_dst_len == 0 && u32_of(attrs[RTA_TABLE]) == RT_TABLE_MAIN &&
        attrs[RTA_OIF])
        note_uplink(owner, u32_of(attrs[RTA_OIF]), u32_of(attrs[RTA_PRIORITY]));
}

size_t netlink_uplinks(struct netlink *nl, uint8_t version, unsigned *room, size_t max)
{
    struct uplinks uplinks = {.devices = room, .max = max < NETLINK_UPLINKS_MAX ? max : NETLINK_UPLINKS_MAX};
    dump_table(nl, version == 4 ? AF_INET : AF_INET6, RT_TABLE_MAIN, note_default, &uplinks);
    return uplinks.count;
}

struct sweep {
    uint32_t table;
    struct netlink_heap heap;
};

static void gather(struct nlmsghdr *hdr, void *owner)
{
    struct sweep *sweep = owner;
    if (hdr->nlmsg_type == RTM_NEWROUTE && nlmsg_valid_hdr(hdr, sizeof(struct rtmsg)) &&
        u32_of(nlmsg_find_attr(hdr, sizeof(struct rtmsg), RTA_TABLE)) == sweep->table)
        netlink_heap_add(&sweep->heap, hdr);
}

int netlink_route_purge(struct netlink *nl, int family, uint32_t table)
{
    struct sweep sweep = {.table = table};
    int seen = dump_table(nl, family, table, gather, &sweep);
    int sent = netlink_heap_send(nl, &sweep.heap, RTM_DELROUTE);
    return seen ? seen : sent;
}
