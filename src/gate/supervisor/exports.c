// SPDX-License-Identifier: GPL-2.0-or-later
// One plan for all portals (os/netlink/routes.h), made anew whenever a device comes or goes: a prefix without a device has its
// unreachable route alone.
#include "gate/supervisor/exports.h"

#include "base/memory.h"
#include "gate/channel/channel.h"
#include "os/log.h"
#include "os/netlink/routes.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUEUE_LENGTH = 2000 }; // packets: what a portal's device has

struct exports {
    const struct access *access;
    struct netlink *nl;
    unsigned slot;
    struct tun *devices; // for each of access->portals; index 0: none
    struct routes plan;
};

static size_t count_prefixes(const struct access *access)
{
    size_t count = 0;
    for (size_t i = 0; i < access->portal_count; i++)
        count += access->portals[i].exports.count;
    return count;
}

static void plan(struct exports *exports)
{
    const struct access *access = exports->access;
    struct routes_target *targets = memory_new((count_prefixes(access) + 1) * sizeof *targets);
    size_t count = 0;
    for (size_t i = 0; i < access->portal_count; i++)
        for (size_t n = 0; n < access->portals[i].exports.count; n++)
            targets[count++] =
                (struct routes_target){.to = access->portals[i].exports.items[n], .ifindex = exports->devices[i].index};
    routes_fini(&exports->plan);
    routes_plan(&exports->plan, targets, count, exports->slot, NULL);
    free(targets);
}

static struct exports *make(const struct access *access, struct netlink *nl, unsigned slot)
{
    struct exports *exports = memory_new(sizeof *exports);
    exports->access = access;
    exports->nl = nl;
    exports->slot = slot;
    exports->devices = memory_new((access->portal_count + 1) * sizeof *exports->devices);
    return exports;
}

struct exports *exports_new(const struct access *access, struct netlink *nl, unsigned slot, struct fault *fault)
{
    struct exports *exports = make(access, nl, slot);
    plan(exports);
    if (routes_purge(slot, nl, fault) && routes_install(&exports->plan, nl, fault))
        return exports;
    exports_free(exports);
    return NULL;
}

struct exports *exports_adopt(const struct access *access, struct netlink *nl, unsigned slot,
                              const struct state_held *held, uint32_t count, struct fault *fault)
{
    struct exports *exports = make(access, nl, slot);
    for (uint32_t i = 0; i < count; i++)
        if (held[i].tun.index && held[i].index < access->portal_count)
            exports->devices[held[i].index] = held[i].tun;
    plan(exports);
    if (routes_repair(&exports->plan, nl, fault) >= 0)
        return exports;
    routes_fini(&exports->plan); // all is as it was, for whoever goes on
    free(exports->devices);
    free(exports);
    return NULL;
}

const struct tun *exports_device(const struct exports *exports, size_t index)
{
    return exports->devices[index].index ? &exports->devices[index] : NULL;
}

void exports_free(struct exports *exports)
{
    struct fault fault;
    if (!exports)
        return;
    if (!routes_purge(exports->slot, exports->nl, &fault))
        log_error("%s", fault.text);
    routes_fini(&exports->plan);
    for (size_t i = 0; i < exports->access->portal_count; i++)
        if (exports->devices[i].index)
            tun_close(&exports->devices[i]);
    free(exports->devices);
    free(exports);
}

// The same for the portal each time; another gate on this host may have it, and then it is one that no portal of ours has.
static void name_device(const struct exports *exports, size_t index, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, "ux%zu", index);
    for (size_t next = exports->access->portal_count; if_nametoindex(name); next++)
        snprintf(name, IFNAMSIZ, "ux%zu", next);
}

static bool raise_device(struct exports *exports, const struct tun *tun, struct fault *fault)
{
    plan(exports);
    return netlink_link_up(exports->nl, tun->index, CHANNEL_EXPORT_MTU, QUEUE_LENGTH, fault);
}

const struct tun *exports_open(struct exports *exports, size_t index, struct fault *fault)
{
    struct tun *tun = &exports->devices[index];
    char name[IFNAMSIZ];
    if (tun->index)
        return tun;
    name_device(exports, index, name);
    if (!tun_open(tun, name, fault)) {
        tun->index = 0;
        return NULL;
    }
    if (raise_device(exports, tun, fault) && routes_install(&exports->plan, exports->nl, fault))
        return tun;
    exports_gone(exports, index);
    return NULL;
}

void exports_gone(struct exports *exports, size_t index)
{
    if (!exports->devices[index].index)
        return;
    tun_close(&exports->devices[index]);
    exports->devices[index].index = 0; // its routes went with it
    plan(exports);
}

static bool is_deleted(const struct tun *tun)
{
    char name[IFNAMSIZ];
    return tun->index && !if_indextoname(tun->index, name);
}

// The routes into it follow with all others that are missing.
static bool make_again(struct exports *exports, size_t index)
{
    struct tun *tun = &exports->devices[index];
    struct fault fault;
    if (tun_make_again(tun, &fault) && raise_device(exports, tun, &fault)) {
        log_warning("%s was deleted by another program; made again", tun->name);
        return true;
    }
    log_error("%s was deleted by another program, and cannot be made again: %s", tun->name, fault.text);
    exports_gone(exports, index);
    return false;
}

void exports_repair(struct exports *exports, exports_deleted *deleted, void *owner)
{
    struct fault fault;
    for (size_t i = 0; i < exports->access->portal_count; i++)
        if (is_deleted(&exports->devices[i]))
            deleted(owner, i, make_again(exports, i));
    int repaired = routes_repair(&exports->plan, exports->nl, &fault);
    if (repaired < 0)
        log_error("%s", fault.text);
    else if (repaired > 0)
        log_warning("%d routes or rules of exports were gone and are back", repaired);
}
