// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing is remembered of what was there: each look asks for the device, and for every route and rule, afresh.

#include "portal/repair.h"

#include "base/memory.h"
#include "os/log.h"
#include "portal/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct repair {
    struct repair_config config;
    struct repair_ops ops;
    void *owner;
    struct watch *watch;
    int probe; // socket to ask for the device's flags
};

static bool device_flags(const struct repair *repair, short *flags)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, repair->config.tun->name, IFNAMSIZ);
    if (if_nametoindex(repair->config.tun->name) != repair->config.tun->index ||
        ioctl(repair->probe, SIOCGIFFLAGS, &request) < 0)
        return false;
    *flags = request.ifr_flags;
    return true;
}

// A device that was taken down has lost its routes and IPv6 addresses, too.
static bool raise_device(const struct repair *repair, struct fault *fault)
{
    const struct repair_config *config = &repair->config;
    if (!netlink_link_up(config->nl, config->tun->index, config->mtu, config->queue_length, fault))
        return false;
    for (size_t i = 0; i < config->addresses->count; i++)
        if (!netlink_address_add(config->nl, config->tun->index, &config->addresses->items[i], fault))
            return false;
    log_warning("%s was taken down by another program; brought up again", config->tun->name);
    return true;
}

// False: not all is in place; look again after a pause.
static bool mend(struct repair *repair)
{
    struct fault fault;
    short flags;
    if (!device_flags(repair, &flags)) {
        repair->ops.gone(repair->owner);
        watch_acted(repair->watch);
        return true;
    }
    bool ok = (flags & IFF_UP) || raise_device(repair, &fault);
    int repaired = ok ? routes_repair(repair->config.plan, repair->config.nl, &fault) : -1;
    if (repaired < 0)
        log_warning("cannot put back what another program deleted: %s", fault.text);
    else if (repaired > 0)
        log_warning("put back %d routes and rules that another program deleted", repaired);
    if (repaired || !(flags & IFF_UP))
        watch_acted(repair->watch);
    else
        watch_calm(repair->watch);
    return repaired >= 0;
}

static void settled(void *owner)
{
    struct repair *repair = owner;
    if (!mend(repair))
        watch_again(repair->watch);
    repair->ops.changed(repair->owner);
}

void repair_look(struct repair *repair)
{
    watch_again(repair->watch);
}

void repair_free(struct repair *repair)
{
    if (!repair)
        return;
    watch_free(repair->watch);
    if (repair->probe >= 0)
        close(repair->probe);
    free(repair);
}

struct repair *repair_new(uv_loop_t *loop, const struct repair_config *config, const struct repair_ops *ops,
                          void *owner, struct fault *fault)
{
    struct repair *repair = memory_new(sizeof *repair);
    *repair = (struct repair){.config = *config, .ops = *ops, .owner = owner};
    repair->probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (repair->probe < 0)
        fault_errno(fault, errno, "socket");
    else
        repair->watch = watch_new(loop, config->nl, settled, repair, fault);
    if (repair->watch)
        return repair;
    repair_free(repair);
    return NULL;
}
