// SPDX-License-Identifier: GPL-2.0-or-later
// News from the kernel. Nothing of a message is kept but its kind: the state itself is asked for afresh by whoever
// cares, so a lost or reordered message does no harm.
#include "os/netlink/internal.h"
#include "os/netlink/netlink.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>

enum { EVERYTHING = NETLINK_CHANGED_LINK | NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_ROUTE | NETLINK_CHANGED_RULE };

static enum netlink_change kind_of(int type)
{
    switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return NETLINK_CHANGED_LINK;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return NETLINK_CHANGED_ADDRESS;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return NETLINK_CHANGED_ROUTE;
    case RTM_NEWRULE:
    case RTM_DELRULE:
        return NETLINK_CHANGED_RULE;
    default:
        return 0;
    }
}

static int note(struct nl_msg *msg, void *owner)
{
    unsigned *changes = owner;
    *changes |= kind_of(nlmsg_hdr(msg)->nlmsg_type);
    return NL_OK;
}

int netlink_watch(struct netlink *nl, struct fault *fault)
{
    if (nl->news)
        return nl_socket_get_fd(nl->news);
    nl->news = nl_socket_alloc();
    if (!nl->news)
        abort();
    nl_socket_disable_seq_check(nl->news); // news answers no request
    int result = nl_connect(nl->news, NETLINK_ROUTE);
    if (result >= 0)
        result = nl_socket_set_nonblocking(nl->news);
    if (result >= 0)
        result = nl_socket_add_memberships(nl->news, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                           RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,
                                           RTNLGRP_NONE);
    if (result < 0) {
        fault_set(fault, "netlink: watch interfaces and routes: %s", nl_geterror(result));
        nl_socket_free(nl->news);
        nl->news = NULL;
        return -1;
    }
    return nl_socket_get_fd(nl->news);
}

unsigned netlink_watch_read(struct netlink *nl)
{
    unsigned changes = 0;
    nl_socket_modify_cb(nl->news, NL_CB_VALID, NL_CB_CUSTOM, note, &changes);
    for (;;) {
        int result = nl_recvmsgs_default(nl->news);
        if (result == -NLE_AGAIN)
            break;
        // ENOBUFS: the kernel had more news than room. libnl has one word for it and for ENOMEM.
        if (result == -NLE_NOMEM)
            changes = EVERYTHING;
        else if (result < 0)
            break;
    }
    return changes;
}
