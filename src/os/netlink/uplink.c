// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/netlink/uplink.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

static bool has_address(const struct ifaddrs *at, const struct address *addr)
{
    if (!at->ifa_addr || at->ifa_addr->sa_family != (addr->version == 4 ? AF_INET : AF_INET6))
        return false;
    const void *bytes = addr->version == 4 ? (const void *)&((const struct sockaddr_in *)at->ifa_addr)->sin_addr
                                           : (const void *)&((const struct sockaddr_in6 *)at->ifa_addr)->sin6_addr;
    return !memcmp(bytes, addr->bytes, addr->version == 4 ? 4 : 16);
}

static bool is_running(const struct ifaddrs *at)
{
    return (at->ifa_flags & IFF_UP) && (at->ifa_flags & IFF_RUNNING);
}

static bool is_among(const struct ifaddrs *at, const unsigned *devices, size_t count)
{
    unsigned index = if_nametoindex(at->ifa_name);
    for (size_t i = 0; i < count; i++)
        if (devices[i] == index)
            return true;
    return false;
}

bool uplink_is_cut_off(struct netlink *nl, const struct address *local)
{
    struct ifaddrs *all;
    unsigned uplinks[NETLINK_UPLINKS_MAX];
    bool is_down = false, has_other = false;
    if (getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next)
        is_down |= has_address(at, local) && !is_running(at);
    size_t count = is_down ? netlink_uplinks(nl, local->version, uplinks, NETLINK_UPLINKS_MAX) : 0;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next)
        has_other |= is_running(at) && is_among(at, uplinks, count);
    freeifaddrs(all);
    return is_down && has_other;
}
