// SPDX-License-Identifier: GPL-2.0-or-later
// Asked twice: what the kernel would do with a packet, and which route made it do so, since one answer does not hold both.
#include "os/netlink/internal.h"
#include "os/netlink/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>

static uint32_t u32_of(struct nlattr *attribute)
{
    return attribute ? nla_get_u32(attribute) : 0;
}

static bool parse(struct nlmsghdr *hdr, struct nlattr *attrs[RTA_MAX + 1])
{
    return hdr->nlmsg_type == RTM_NEWROUTE && nlmsg_parse(hdr, sizeof(struct rtmsg), attrs, RTA_MAX, NULL) >= 0;
}

static void take_way(struct nlmsghdr *hdr, void *owner)
{
    struct netlink_way *way = owner;
    const struct rtmsg *rt = nlmsg_data(hdr);
    struct nlattr *attrs[RTA_MAX + 1];
    if (!parse(hdr, attrs))
        return;
    way->found = true;
    way->local = rt->rtm_type == RTN_LOCAL;
    way->ifindex = u32_of(attrs[RTA_OIF]);
    way->table = attrs[RTA_TABLE] ? u32_of(attrs[RTA_TABLE]) : rt->rtm_table;
    way->via = netlink_address(attrs[RTA_GATEWAY]);
    way->source = netlink_address(attrs[RTA_PREFSRC]);
}

// The kernel leaves RTA_DST out of a default route.
static void take_route(struct nlmsghdr *hdr, void *owner)
{
    struct netlink_way *way = owner;
    const struct rtmsg *rt = nlmsg_data(hdr);
    struct nlattr *attrs[RTA_MAX + 1];
    if (!parse(hdr, attrs))
        return;
    uint8_t version = way->route.addr.version;
    way->route = (struct prefix){.addr = netlink_address(attrs[RTA_DST]), .len = rt->rtm_dst_len};
    way->route.addr.version = version;
}

static int ask(struct netlink *nl, const struct address *to, unsigned flags,
               void (*take)(struct nlmsghdr *hdr, void *owner), struct netlink_way *way)
{
    const struct rtmsg head = {
        .rtm_family = (uint8_t)netlink_family(to), .rtm_dst_len = to->version == 4 ? 32 : 128, .rtm_flags = flags};
    struct nl_msg *msg = netlink_message(RTM_GETROUTE, 0, &head, sizeof head);
    netlink_put_address(msg, RTA_DST, to);
    int error = netlink_dump(nl, msg, take, way);
    if (!error && way->found)
        nl_wait_for_ack(nl->requests);
    return error;
}

int netlink_way_to(struct netlink *nl, const struct address *to, struct netlink_way *out)
{
    *out = (struct netlink_way){.route.addr.version = to->version};
    // Version 6 always names the table, and refuses to be asked for it.
    unsigned table = to->version == 4 ? RTM_F_LOOKUP_TABLE : 0;
    int error = ask(nl, to, table, take_way, out);
    if (!error && out->found)
        ask(nl, to, table | RTM_F_FIB_MATCH, take_route, out);
    return error ? error : out->found ? 0 : ENETUNREACH;
}
