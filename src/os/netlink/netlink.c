// SPDX-License-Identifier: GPL-2.0-or-later
// The connection to rtnetlink(7), and links and addresses over it. Requests are answered before they return; the kernel
// answers from the caller's own context, so none of them waits for anybody.
#include "os/netlink/netlink.h"
#include "os/netlink/internal.h"

#include "base/memory.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

static int keep_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *owner)
{
    (void)from;
    struct netlink *nl = owner;
    nl->error = -error->error;
    return NL_STOP;
}

struct netlink *netlink_new(struct fault *fault)
{
    struct netlink *nl = memory_new(sizeof *nl);
    nl->requests = nl_socket_alloc();
    if (!nl->requests)
        abort();
    int result = nl_connect(nl->requests, NETLINK_ROUTE);
    if (result < 0) {
        fault_set(fault, "netlink: connect to the kernel: %s", nl_geterror(result));
        netlink_free(nl);
        return NULL;
    }
    nl_socket_modify_err_cb(nl->requests, NL_CB_CUSTOM, keep_error, nl);
    // Lets the kernel filter dumps by table (Linux 4.20); without it we see all and filter ourselves.
    const int on = 1;
    setsockopt(nl_socket_get_fd(nl->requests), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    return nl;
}

void netlink_free(struct netlink *nl)
{
    if (!nl)
        return;
    nl_socket_free(nl->requests);
    nl_socket_free(nl->news);
    free(nl);
}

struct nl_msg *netlink_message(int type, int flags, const void *header, size_t len)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, flags);
    if (!msg || nlmsg_append(msg, (void *)header, len, NLMSG_ALIGNTO) < 0)
        abort();
    return msg;
}

void netlink_put(struct nl_msg *msg, int attribute, const void *value, size_t len)
{
    if (nla_put(msg, attribute, (int)len, value) < 0)
        abort();
}

void netlink_put_u32(struct nl_msg *msg, int attribute, uint32_t value)
{
    netlink_put(msg, attribute, &value, sizeof value);
}

void netlink_put_address(struct nl_msg *msg, int attribute, const struct address *addr)
{
    netlink_put(msg, attribute, addr->bytes, addr->version == 6 ? 16 : 4);
}

struct address netlink_address(struct nlattr *attribute)
{
    switch (attribute ? nla_len(attribute) : 0) {
    case 4:
        return address_v4(nla_data(attribute));
    case 16:
        return address_v6(nla_data(attribute));
    default:
        return (struct address){0};
    }
}

int netlink_family(const struct address *addr)
{
    return addr->version == 6 ? AF_INET6 : AF_INET;
}

// libnl folds several errno into one code of its own; the kernel's answer says more.
static int errno_of(const struct netlink *nl, int result)
{
    if (result >= 0)
        return 0;
    if (nl->error)
        return nl->error;
    switch (-result) {
    case NLE_NOMEM:
        return ENOBUFS;
    case NLE_PERM:
        return EPERM;
    default:
        return EIO;
    }
}

int netlink_request(struct netlink *nl, struct nl_msg *msg)
{
    nl->error = 0;
    return errno_of(nl, nl_send_sync(nl->requests, msg));
}

struct dump {
    void (*each)(struct nlmsghdr *hdr, void *owner);
    void *owner;
};

static int hand_over(struct nl_msg *msg, void *owner)
{
    struct dump *dump = owner;
    dump->each(nlmsg_hdr(msg), dump->owner);
    return NL_OK;
}

int netlink_dump(struct netlink *nl, struct nl_msg *msg, void (*each)(struct nlmsghdr *hdr, void *owner), void *owner)
{
    struct dump dump = {each, owner};
    nl_socket_modify_cb(nl->requests, NL_CB_VALID, NL_CB_CUSTOM, hand_over, &dump);
    nl->error = 0;
    int result = nl_send_auto(nl->requests, msg);
    nlmsg_free(msg);
    if (result >= 0)
        result = nl_recvmsgs_default(nl->requests);
    nl_socket_modify_cb(nl->requests, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);

    // A change that overtook the dump is news, and news brings the caller back here.
    int error = result == -NLE_DUMP_INTR ? 0 : errno_of(nl, result);
    return error == ENOENT || error == EAFNOSUPPORT ? 0 : error;
}

void netlink_heap_add(struct netlink_heap *heap, struct nlmsghdr *hdr)
{
    if (heap->count == heap->room) {
        heap->room = heap->room ? 2 * heap->room : 16;
        heap->msgs = memory_resize(heap->msgs, heap->room * sizeof heap->msgs[0]);
    }
    struct nl_msg *msg = nlmsg_convert(hdr);
    if (!msg)
        abort();
    heap->msgs[heap->count++] = msg;
}

int netlink_heap_send(struct netlink *nl, struct netlink_heap *heap, int type)
{
    int first = 0;
    for (size_t i = 0; i < heap->count; i++) {
        struct nlmsghdr *hdr = nlmsg_hdr(heap->msgs[i]);
        hdr->nlmsg_type = (uint16_t)type;
        hdr->nlmsg_flags = NLM_F_REQUEST;
        hdr->nlmsg_seq = NL_AUTO_SEQ;
        hdr->nlmsg_pid = NL_AUTO_PID;
        int error = netlink_request(nl, heap->msgs[i]);
        if (error && error != ENOENT && error != ESRCH && !first)
            first = error;
    }
    free(heap->msgs);
    *heap = (struct netlink_heap){0};
    return first;
}

bool netlink_link_up(struct netlink *nl, unsigned ifindex, uint32_t mtu, uint32_t txqueuelen, struct fault *fault)
{
    const struct ifinfomsg head = {
        .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct nl_msg *msg = netlink_message(RTM_NEWLINK, 0, &head, sizeof head);
    netlink_put_u32(msg, IFLA_MTU, mtu);
    netlink_put_u32(msg, IFLA_TXQLEN, txqueuelen);
    int error = netlink_request(nl, msg);
    char name[IF_NAMESIZE];
    return !error || fault_errno(fault, error, "interface %s: set MTU %u and bring it up",
                                 if_indextoname(ifindex, name) ? name : "(gone)", mtu);
}

bool netlink_address_add(struct netlink *nl, unsigned ifindex, const struct prefix *address, struct fault *fault)
{
    // Nobody else is on a TUN device, so duplicate address detection would only make the address wait.
    const struct ifaddrmsg head = {.ifa_family = (uint8_t)netlink_family(&address->addr),
                                   .ifa_prefixlen = address->len,
                                   .ifa_flags = address->addr.version == 6 ? IFA_F_NODAD : 0,
                                   .ifa_scope = RT_SCOPE_UNIVERSE,
                                   .ifa_index = ifindex};
    struct nl_msg *msg = netlink_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof head);
    netlink_put_address(msg, IFA_LOCAL, &address->addr);
    netlink_put_address(msg, IFA_ADDRESS, &address->addr);
    int error = netlink_request(nl, msg);
    char name[IF_NAMESIZE], text[PREFIX_TEXT_SIZE];
    return !error || error == EEXIST ||
           fault_errno(fault, error, "interface %s: add address %s", if_indextoname(ifindex, name) ? name : "(gone)",
                       prefix_text(address, text));
}

struct locals {
    struct prefix *room;
    size_t count;
    size_t max;
};

static void note_local(struct nlmsghdr *hdr, void *owner)
{
    struct locals *locals = owner;
    const struct rtmsg *rt = nlmsg_data(hdr);
    if (hdr->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(hdr, sizeof *rt) || rt->rtm_type != RTN_LOCAL ||
        rt->rtm_table != RT_TABLE_LOCAL)
        return;
    struct address addr = netlink_address(nlmsg_find_attr(hdr, sizeof *rt, RTA_DST));
    if (addr.version != 0 && locals->count < locals->max)
        locals->room[locals->count++] = (struct prefix){.addr = addr, .len = rt->rtm_dst_len};
}

size_t netlink_local_prefixes(struct netlink *nl, struct prefix *room, size_t max)
{
    struct locals locals = {room, 0, max};
    static const uint8_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < sizeof families; i++) {
        const struct rtmsg head = {.rtm_family = families[i], .rtm_table = RT_TABLE_LOCAL, .rtm_type = RTN_LOCAL};
        netlink_dump(nl, netlink_message(RTM_GETROUTE, NLM_F_DUMP, &head, sizeof head), note_local, &locals);
    }
    return locals.count;
}
