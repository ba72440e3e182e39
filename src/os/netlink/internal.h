// SPDX-License-Identifier: GPL-2.0-or-later
// For this room alone: the connection, and the sending of messages that libnl has no object for.
#ifndef OS_NETLINK_INTERNAL_H
#define OS_NETLINK_INTERNAL_H

#include "base/address.h"

#include <netlink/msg.h>
#include <netlink/netlink.h>

struct netlink {
    struct nl_sock *requests;
    struct nl_sock *news; // NULL until netlink_watch
    int error;            // errno that the kernel answered the last request with
};

// A request that begins with the family's own header; aborts when out of memory.
struct nl_msg *netlink_message(int type, int flags, const void *header, size_t len);
void netlink_put(struct nl_msg *msg, int attribute, const void *value, size_t len);
void netlink_put_u32(struct nl_msg *msg, int attribute, uint32_t value);
// An address as an attribute, in as many bytes as its family has.
void netlink_put_address(struct nl_msg *msg, int attribute, const struct address *addr);

// Sends the request, frees it and waits for the answer: 0 or an errno.
int netlink_request(struct netlink *nl, struct nl_msg *msg);
// The same for a dump: `each` sees every message of the answer. A kernel that has no such table or family has nothing.
int netlink_dump(struct netlink *nl, struct nl_msg *msg, void (*each)(struct nlmsghdr *hdr, void *owner), void *owner);

// The bytes of an attribute as an address; version 0 without the attribute or with an odd length.
struct address netlink_address(struct nlattr *attribute);
int netlink_family(const struct address *addr);

// Messages seen in a dump, to be sent back with another type.
struct netlink_heap {
    struct nl_msg **msgs;
    size_t count;
    size_t room;
};
void netlink_heap_add(struct netlink_heap *heap, struct nlmsghdr *hdr);
// Sends each as a request of `type` and empties the heap. What is gone already is no error. 0 or an errno.
int netlink_heap_send(struct netlink *nl, struct netlink_heap *heap, int type);

// The half of netlink_table_purge that is about routes: 0 or an errno.
int netlink_route_purge(struct netlink *nl, int family, uint32_t table);

#endif
