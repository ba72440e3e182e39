// SPDX-License-Identifier: GPL-2.0-or-later
// Changes come in bursts, so each burst is looked at once, a moment after it began. A manager that keeps deleting what
// we put back is not fought at full speed: the pause doubles with every repair and is forgotten when all was quiet.

#include "portal/repair.h"

#include "base/memory.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    SETTLE_MS = 100,      // from the first change of a burst to the look at it
    PAUSE_MAX_MS = 10000, // between repairs
};

struct repair {
    struct repair_config config;
    struct repair_ops ops;
    void *owner;
    uv_poll_t news;
    uv_timer_t timer;
    uint64_t pause; // ms before the next look
    int probe;      // socket to ask for the device's flags
    unsigned handles;
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
        log_error("%s was deleted by another program", repair->config.tun->name);
        repair->ops.gone(repair->owner);
        return true;
    }
    bool ok = (flags & IFF_UP) || raise_device(repair, &fault);
    int repaired = ok ? routes_repair(repair->config.plan, repair->config.nl, &fault) : -1;
    if (repaired < 0)
        log_warning("cannot put back what another program deleted: %s", fault.text);
    else if (repaired > 0)
        log_warning("put back %d routes and rules that another program deleted", repaired);
    if (repaired || !(flags & IFF_UP)) {
        netlink_watch_read(repair->config.nl); // our own changes are no news
        repair->pause = repair->pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : repair->pause * 2;
    } else {
        repair->pause = SETTLE_MS;
    }
    return repaired >= 0;
}

static void settled(uv_timer_t *timer)
{
    struct repair *repair = timer->data;
    if (!mend(repair))
        uv_timer_start(timer, settled, repair->pause, 0);
    repair->ops.changed(repair->owner);
}

static void news(uv_poll_t *poll, int status, int events)
{
    struct repair *repair = poll->data;
    (void)status;
    (void)events;
    if (netlink_watch_read(repair->config.nl) && !uv_is_active((uv_handle_t *)&repair->timer))
        uv_timer_start(&repair->timer, settled, repair->pause, 0);
}

static void closed(uv_handle_t *handle)
{
    struct repair *repair = handle->data;
    if (--repair->handles == 0)
        free(repair);
}

struct repair *repair_new(uv_loop_t *loop, const struct repair_config *config, const struct repair_ops *ops,
                          void *owner, struct fault *fault)
{
    int fd = netlink_watch(config->nl, fault);
    if (fd < 0)
        return NULL;
    netlink_watch_read(config->nl); // set-up itself is no news
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        fault_errno(fault, errno, "socket");
        return NULL;
    }
    struct repair *repair = memory_new(sizeof(*repair));
    *repair = (struct repair){.config = *config, .ops = *ops, .owner = owner, .pause = SETTLE_MS, .probe = probe};
    uv_poll_init(loop, &repair->news, fd);
    uv_timer_init(loop, &repair->timer);
    repair->handles = 2;
    repair->news.data = repair->timer.data = repair;
    uv_poll_start(&repair->news, UV_READABLE, news);
    return repair;
}

void repair_free(struct repair *repair)
{
    if (!repair)
        return;
    close(repair->probe);
    uv_close((uv_handle_t *)&repair->news, closed);
    uv_close((uv_handle_t *)&repair->timer, closed);
}
