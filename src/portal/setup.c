// SPDX-License-Identifier: GPL-2.0-or-later
// Set-up as a list of steps, each with its undo; undone in reverse, from wherever it failed. What needs a privilege stands
// before the step that gives them away, and every undo makes do with the CAP_NET_ADMIN that is left.

#include "portal/setup.h"

#include "os/log.h"
#include "os/sandbox.h"

#include <stdio.h>
#include <string.h>

enum { DESCRIPTORS = 1024 }; // flows need none, so a portal needs few

static bool take_runtime(struct portal *portal, struct fault *fault)
{
    char log[RUNTIME_PATH_SIZE];
    if (!runtime_claim(&portal->runtime, RUNTIME_ROOT, portal->conf->name, fault))
        return false;
    runtime_path(log, RUNTIME_ROOT, portal->conf->name, "log");
    if (background_open_log(portal->background, log, fault))
        return true;
    runtime_release(&portal->runtime);
    return false;
}

static void undo_runtime(struct portal *portal)
{
    runtime_release(&portal->runtime);
}

static bool take_netlink(struct portal *portal, struct fault *fault)
{
    portal->nl = netlink_new(fault);
    return portal->nl;
}

static void undo_netlink(struct portal *portal)
{
    netlink_free(portal->nl);
}

static bool take_device(struct portal *portal, struct fault *fault)
{
    return tun_open(&portal->tun, portal->conf->device, fault);
}

static void undo_device(struct portal *portal)
{
    tun_close(&portal->tun);
}

static bool take_addresses(struct portal *portal, struct fault *fault)
{
    const struct portal_conf *conf = portal->conf;
    if (!netlink_link_up(portal->nl, portal->tun.index, (uint32_t)conf->mtu, (uint32_t)conf->queue_length, fault))
        return false;
    for (size_t i = 0; i < conf->addresses.count; i++)
        if (!netlink_address_add(portal->nl, portal->tun.index, &conf->addresses.items[i], fault))
            return false;
    return true; // the addresses go with the device
}

// Connections of local applications into the TUN device run at memory speed with no loss, where bbr's pacing only costs:
// cubic measured four times the rate. So a system that defaults to bbr gets cubic on these routes alone.
static const char *route_congestion(const struct portal_conf *conf)
{
    char name[32] = "";
    if (conf->route_congestion)
        return link_tuning_congestion(conf->route_congestion);
    FILE *in = fopen("/proc/sys/net/ipv4/tcp_congestion_control", "re");
    bool bbr = in && fscanf(in, "%31s", name) == 1 && !strncmp(name, "bbr", 3);
    if (in)
        fclose(in);
    return bbr ? "cubic" : NULL;
}

// Slots of a dead predecessor are purged only once our own routes stand, so nothing leaks in between.
static bool purge_left(struct portal *portal, struct fault *fault)
{
    for (unsigned slot = 0; slot < RUNTIME_SLOTS; slot++)
        if ((portal->runtime.left >> slot & 1) && !routes_purge(slot, portal->nl, fault))
            return false;
    return !portal->runtime.left || runtime_settle(&portal->runtime, fault);
}

static void undo_routes(struct portal *portal)
{
    struct fault fault;
    if (!routes_purge(portal->runtime.slot, portal->nl, &fault)) {
        log_error("%s", fault.text);
        portal->runtime.stained = true;
    }
    routes_fini(&portal->plan);
}

static bool take_routes(struct portal *portal, struct fault *fault)
{
    routes_plan(&portal->plan, &portal->conf->routes, portal->runtime.slot, portal->tun.index,
                route_congestion(portal->conf));
    if (routes_purge(portal->runtime.slot, portal->nl, fault) && routes_install(&portal->plan, portal->nl, fault) &&
        purge_left(portal, fault))
        return true;
    undo_routes(portal);
    return false;
}

static bool take_control(struct portal *portal, struct fault *fault)
{
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, RUNTIME_ROOT, portal->conf->name, "control");
    portal->control = control_new(portal->loop, path, portal_control, portal, fault);
    return portal->control;
}

static void undo_control(struct portal *portal)
{
    control_free(portal->control);
}

static bool take_repair(struct portal *portal, struct fault *fault)
{
    struct repair_config config = {
        .nl = portal->nl,
        .tun = &portal->tun,
        .addresses = &portal->conf->addresses,
        .plan = &portal->plan,
        .mtu = (uint32_t)portal->conf->mtu,
        .queue_length = (uint32_t)portal->conf->queue_length,
    };
    portal->repair = repair_new(portal->loop, &config, &PORTAL_REPAIR_OPS, portal, fault);
    return portal->repair;
}

static void undo_repair(struct portal *portal)
{
    repair_free(portal->repair);
}

// CAP_NET_ADMIN stays: for the mark on the link's socket and for putting routes back.
static bool take_privileges(struct portal *portal, struct fault *fault)
{
    sandbox_limits(DESCRIPTORS);
    return sandbox_drop(portal->conf->user, true, fault);
}

static bool take_node(struct portal *portal, struct fault *fault)
{
    const struct node_config config = {
        .hold_ms = (uint32_t)portal->conf->hold, .turned = portal_turned, .owner = portal};
    (void)fault;
    node_init(&portal->node, portal->loop, &config);
    return true;
}

static void undo_node(struct portal *portal)
{
    node_fini(&portal->node);
}

static bool take_capture(struct portal *portal, struct fault *fault)
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
    portal->capture = capture_new(portal->loop, &portal->tun, &config, fault);
    if (!portal->capture)
        return false;
    exchange_add(portal->node.exchange, capture_edge(portal->capture));
    return true;
}

static bool take_path(struct portal *portal, struct fault *fault)
{
    struct path_config config = {
        .host = portal->conf->gate.host,
        .port = portal->conf->gate.port,
        .peer_name = portal->conf->peer_name,
        .mark = ROUTES_MARK,
        .identity = portal->identity,
        .tunnel = link_tuning_tunnel(&portal->conf->link),
    };
    portal->path = path_new(portal->loop, &config, &PORTAL_PATH_OPS, portal, fault);
    node_set_link(&portal->node, &PORTAL_LINK, portal->path);
    return portal->path;
}

static void undo_path(struct portal *portal)
{
    node_set_link(&portal->node, NULL, NULL);
    path_free(portal->path); // ends the sessions of a tunnel that is still there
    exchange_detach(portal->node.exchange);
}

static const struct step {
    const char *name;
    bool (*take)(struct portal *portal, struct fault *fault);
    void (*undo)(struct portal *portal); // NULL: the undo of an earlier one takes it along
} STEPS[] = {
    {"runtime directory", take_runtime, undo_runtime},
    {"netlink", take_netlink, undo_netlink},
    {"device", take_device, undo_device},
    {"addresses", take_addresses, NULL},
    {"routes", take_routes, undo_routes},
    {"control socket", take_control, undo_control},
    {"route repair", take_repair, undo_repair},
    {"privileges", take_privileges, NULL},
    {"node", take_node, undo_node},
    {"capture", take_capture, NULL},
    {"link", take_path, undo_path},
};

enum { STEP_COUNT = sizeof(STEPS) / sizeof(STEPS[0]) };

static void undo_from(struct portal *portal, size_t count)
{
    while (count-- > 0) {
        log_debug("undo: %s", STEPS[count].name);
        if (STEPS[count].undo)
            STEPS[count].undo(portal);
    }
}

bool setup_take(struct portal *portal, struct fault *fault)
{
    for (size_t i = 0; i < STEP_COUNT; i++) {
        log_debug("set up: %s", STEPS[i].name);
        if (!STEPS[i].take(portal, fault)) {
            undo_from(portal, i);
            return false;
        }
    }
    return true;
}

void setup_undo(struct portal *portal)
{
    undo_from(portal, STEP_COUNT);
}
