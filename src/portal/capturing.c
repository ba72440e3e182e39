// SPDX-License-Identifier: GPL-2.0-or-later
// Every undo makes do with the CAP_NET_ADMIN that is left by then.

#include "portal/capturing.h"

#include "base/memory.h"
#include "base/swap.h"
#include "edge/capture/capture.h"
#include "os/log.h"
#include "portal/repair.h"
#include "portal/system_dns.h"

#include <stdlib.h>
#include <string.h>

struct capturing {
    struct tun tun;
    struct routes plan;
    struct repair *repair;
    struct capture *capture; // the node's
    struct log_tally unsent; // flows that were reset: their far ends took nothing
    struct log_tally gave_way;
};

static bool take_device(struct portal *portal, struct fault *fault)
{
    portal->capturing = memory_new(sizeof *portal->capturing);
    if (tun_open(&portal->capturing->tun, portal->conf->device, fault)) {
        portal->ifindex = portal->capturing->tun.index;
        return true;
    }
    free(portal->capturing);
    portal->capturing = NULL;
    return false;
}

static void undo_device(struct portal *portal)
{
    tun_close(&portal->capturing->tun);
    free(portal->capturing);
    portal->capturing = NULL;
}

static bool take_given(struct portal *portal, struct fault *fault)
{
    (void)fault;
    portal->capturing = memory_new(sizeof *portal->capturing);
    portal->capturing->tun = *portal->given;
    return true;
}

static bool take_addresses(struct portal *portal, struct fault *fault)
{
    const struct portal_conf *conf = portal->conf;
    unsigned index = portal->capturing->tun.index;
    if (!netlink_link_up(portal->nl, index, (uint32_t)conf->mtu, (uint32_t)conf->queue_length, fault))
        return false;
    for (size_t i = 0; i < conf->addresses.count; i++)
        if (!netlink_address_add(portal->nl, index, &conf->addresses.items[i], fault))
            return false;
    return true; // the addresses go with the device
}

static bool purge_left(struct portal *portal, struct fault *fault)
{
    struct runtime *runtime = &portal->runtime;
    return !runtime->left || (routes_purge_slots(runtime->left, portal->nl, fault) && runtime_settle(runtime, fault));
}

static void undo_routes(struct portal *portal)
{
    struct fault fault;
    if (!routes_purge(portal->runtime.slot, portal->nl, &fault)) {
        log_error("%s", fault.text);
        portal->runtime.stained = true;
    }
    routes_fini(&portal->capturing->plan);
}

static void plan_routes(struct portal *portal)
{
    struct routes *plan = &portal->capturing->plan;
    const struct value_prefixes *prefixes = &portal->conf->routes;
    struct routes_target *targets = memory_new(prefixes->count * sizeof *targets);
    for (size_t i = 0; i < prefixes->count; i++)
        targets[i] = (struct routes_target){.to = prefixes->items[i], .ifindex = portal->capturing->tun.index};
    routes_plan(plan, targets, prefixes->count, portal->runtime.slot,
                link_tuning_route(portal->conf->route_congestion));
    free(targets);
}

// Slots of a dead predecessor are purged only once our own routes stand, so nothing leaks in between.
static bool take_routes(struct portal *portal, struct fault *fault)
{
    struct routes *plan = &portal->capturing->plan;
    plan_routes(portal);
    if (routes_purge(portal->runtime.slot, portal->nl, fault) && routes_install(plan, portal->nl, fault) &&
        purge_left(portal, fault))
        return true;
    undo_routes(portal);
    return false;
}

// Rules and unreachable routes have stood all the while, so nothing went out in clear.
static bool make_again(struct portal *portal, struct fault *fault)
{
    struct capturing *capturing = portal->capturing;
    if (!tun_make_again(&capturing->tun, fault) || !take_addresses(portal, fault))
        return false;
    portal->ifindex = capturing->tun.index; // another one
    routes_fini(&capturing->plan);
    plan_routes(portal);
    if (routes_repair(&capturing->plan, portal->nl, fault) < 0)
        return false;
    system_dns_device_back(portal);
    capture_device_back(capturing->capture);
    return true;
}

static void device_gone(void *owner)
{
    struct portal *portal = owner;
    const char *name = portal->capturing->tun.name;
    struct fault why, fault;
    if (portal->stopping)
        return;
    if (make_again(portal, &why)) {
        log_warning("%s was deleted by another program; made again", name);
        return;
    }
    fault_set(&fault, "%s was deleted by another program, and cannot be made again: %s", name, why.text);
    portal_fail(portal, "the portal's device is gone", &fault);
}

// The device of a run lies in another network, where we have no right to make one.
static void given_gone(struct portal *portal)
{
    struct fault why;
    fault_set(&why, "%s was deleted by another program", portal->capturing->tun.name);
    portal_fail(portal, "the portal's device is gone", &why);
}

static bool take_repair(struct portal *portal, struct fault *fault)
{
    static const struct repair_ops ops = {.changed = portal_network_changed, .gone = device_gone};
    struct repair_config config = {
        .nl = portal->nl,
        .tun = &portal->capturing->tun,
        .addresses = &portal->conf->addresses,
        .plan = &portal->capturing->plan,
        .mtu = (uint32_t)portal->conf->mtu,
        .queue_length = (uint32_t)portal->conf->queue_length,
    };
    portal->capturing->repair = repair_new(portal->loop, &config, &ops, portal, fault);
    return portal->capturing->repair;
}

static void undo_repair(struct portal *portal)
{
    repair_free(portal->capturing->repair);
}

static bool take_entrance(struct portal *portal, struct fault *fault)
{
    const struct portal_conf *conf = portal->conf;
    struct capture_config config = {
        .mtu = (uint32_t)conf->mtu,
        .max_flows = (uint32_t)conf->max_flows,
        .receive_budget = conf->receive_budget,
        .udp_idle_ms = (uint32_t)conf->udp_idle,
        .udp_dns_idle_ms = (uint32_t)conf->dns_idle,
        .udp_offload = conf->link.udp_offload,
    };
    struct capture *capture = capture_new(portal->loop, &portal->capturing->tun, &config, fault);
    if (!capture)
        return false;
    portal->capturing->capture = capture;
    exchange_add(portal->node.exchange, capture_edge(capture));
    return true;
}

const struct step CAPTURING_DEVICE = {"device", take_device, undo_device};
const struct step CAPTURING_ADDRESSES = {"addresses", take_addresses, NULL};
const struct step CAPTURING_ROUTES = {"routes", take_routes, undo_routes};
const struct step CAPTURING_REPAIR = {"route repair", take_repair, undo_repair};
const struct step CAPTURING_ENTRANCE = {"capture", take_entrance, NULL};
const struct step CAPTURING_GIVEN = {"device", take_given, undo_device};
const struct step CAPTURING_LEFT = {"routes of an earlier run", purge_left, NULL};

void capturing_turned(void *owner, usec_t now)
{
    struct portal *portal = owner;
    struct capturing *capturing = portal->capturing;
    portal_turned(portal, now);
    const struct capture_counters *counters = capture_counters(capturing->capture);
    log_tally(&capturing->unsent, counters->flows_evicted, now,
              "flows reset because their far ends took no data and memory ran short");
    log_tally(&capturing->gave_way, counters->associations_gave_way, now,
              "UDP associations ended early for new ones, at half of MaxFlows");
    if (!capture_is_gone(capturing->capture))
        return;
    if (capturing->repair)
        repair_look(capturing->repair);
    else
        given_gone(portal);
}

static bool have_names_the_same(const struct names_keys *a, const struct names_keys *b)
{
    struct value_prefixes of_a = {0}, of_b = {0};
    names_keys_route(a, &of_a);
    names_keys_route(b, &of_b);
    bool same =
        of_a.count == of_b.count && (!of_a.count || !memcmp(of_a.items, of_b.items, of_a.count * sizeof *of_a.items));
    value_prefixes_fini(&of_a);
    value_prefixes_fini(&of_b);
    return same;
}

static bool covers(void *owner, const struct address *outside)
{
    const struct value_prefixes *routes = owner;
    for (size_t i = 0; i < routes->count; i++)
        if (prefix_contains(&routes->items[i], outside))
            return true;
    return false;
}

static void take_maps(struct portal *portal, struct portal_conf *now)
{
    struct map *map = &portal->map;
    SWAP(portal->conf->maps, now->maps);
    map->pairs = portal->conf->maps.items;
    map->count = portal->conf->maps.count;
    if (map->count && !list_is_linked(&map->guide.node))
        exchange_add_guide(portal->node.exchange, &map->guide);
}

void capturing_take(struct portal *portal, struct portal_conf *now, FILE *report)
{
    struct capturing *capturing = portal->capturing;
    struct portal_conf *conf = portal->conf;
    struct fault fault;
    if (!capturing || !now->routes.count || !have_names_the_same(&conf->names, &now->names)) {
        fprintf(report, "Route and Map take effect when the portal is started again\n");
        return;
    }
    struct routes before = capturing->plan;
    SWAP(conf->routes, now->routes);
    take_maps(portal, now);
    plan_routes(portal);
    if (!routes_replace(&before, &capturing->plan, portal->nl, &fault))
        fprintf(report, "Route: %s\n", fault.text);
    routes_fini(&before);
    capture_withdraw(capturing->capture, covers, &conf->routes);
    node_wake(&portal->node);
}

const char *capturing_device(const struct portal *portal)
{
    return portal->capturing ? portal->capturing->tun.name : NULL;
}
