// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/inside/network.h"

#include "os/log.h"
#include "os/netlink/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LOOPBACK_MTU = 65536, // as it is outside, and its queue
    LOOPBACK_QUEUE = 1000,
    TABLE_MAIN = 254,        // RT_TABLE_MAIN of linux/rtnetlink.h
    GROUPS_MAX = 0x7fffffff, // the largest that the kernel takes in ping_group_range
};

static const char DEVICE[] = "/dev/net/tun";

// Where udev does not run, the node may be root's alone. Making a device takes a right in the network that it is for, so
// nothing is given away by letting everybody open it; systems with udev do.
static bool open_device(struct tun *out, const char *name, struct fault *fault)
{
    if (access(DEVICE, R_OK | W_OK) < 0 && errno == EACCES)
        return fault_set(fault, "you may not open %s: root allows it with chmod 0666 %s", DEVICE, DEVICE);
    return tun_open(out, name, fault);
}

static bool has_address(const struct value_prefixes *addresses, uint8_t version)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->items[i].addr.version == version)
            return true;
    return false;
}

static bool add_addresses(const struct portal_conf *conf, struct netlink *nl, unsigned ifindex, uint8_t version,
                          struct fault *fault)
{
    const struct value_prefixes *own = &conf->addresses;
    struct prefix fallback;
    for (size_t i = 0; i < own->count; i++)
        if (own->items[i].addr.version == version && !netlink_address_add(nl, ifindex, &own->items[i], fault))
            return false;
    return has_address(own, version) || (prefix_parse(&fallback, version == 4 ? NETWORK_ADDRESS4 : NETWORK_ADDRESS6) &&
                                         netlink_address_add(nl, ifindex, &fallback, fault));
}

static bool add_family(const struct portal_conf *conf, struct netlink *nl, unsigned ifindex, uint8_t version,
                       struct fault *fault)
{
    struct netlink_route all = {
        .table = TABLE_MAIN, .ifindex = ifindex, .congestion = link_tuning_route(conf->route_congestion)};
    return add_addresses(conf, nl, ifindex, version, fault) &&
           prefix_parse(&all.to, version == 4 ? "0.0.0.0/0" : "::/0") && netlink_route_add(nl, &all, fault);
}

static bool fill(const struct portal_conf *conf, struct netlink *nl, unsigned ifindex, struct fault *fault)
{
    if (!netlink_link_up(nl, if_nametoindex("lo"), LOOPBACK_MTU, LOOPBACK_QUEUE, fault) ||
        !netlink_link_up(nl, ifindex, (uint32_t)conf->mtu, (uint32_t)conf->queue_length, fault) ||
        !add_family(conf, nl, ifindex, 4, fault))
        return false;
    struct fault why; // a kernel may be without
    if (!add_family(conf, nl, ifindex, 6, &why))
        log_warning("there is no IPv6 in this run: %s", why.text);
    return true;
}

static bool write_range(unsigned first, unsigned last)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%u %u", first, last);
    int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, (size_t)len) == len;
    if (fd >= 0)
        close(fd);
    return ok;
}

// The kernel takes groups that are there: of root all, of others their own.
static void allow_ping(void)
{
    if (!write_range(0, GROUPS_MAX) && !write_range(getegid(), getegid()))
        log_warning("ping may be refused in this run: /proc/sys cannot be written to");
}

bool network_make(const struct portal_conf *conf, struct tun *out, struct fault *fault)
{
    if (!open_device(out, conf->device, fault))
        return false;
    struct netlink *nl = netlink_new(fault);
    bool ok = nl && fill(conf, nl, out->index, fault);
    netlink_free(nl);
    if (!ok)
        tun_close(out);
    else
        allow_ping();
    return ok;
}
