// SPDX-License-Identifier: GPL-2.0-or-later
// Set-up as a list of steps for each mode; undone in reverse, from wherever it failed. What needs a privilege stands before
// the step that gives them away. Common steps are here, those of a portal with Route in portal/capturing.h.

#include "portal/setup.h"

#include "node/dialled.h"
#include "os/log.h"
#include "os/netlink/routes.h"
#include "os/sandbox/sandbox.h"
#include "os/wall_clock.h"
#include "portal/accept.h"
#include "portal/asking.h"
#include "portal/capturing.h"
#include "portal/control_session.h"
#include "portal/forwarding.h"
#include "portal/handing.h"
#include "portal/naming.h"
#include "portal/renewal.h"
#include "portal/renewer.h"
#include "portal/socks.h"
#include "portal/status.h"
#include "portal/system_dns.h"
#include "portal/watch.h"

enum { SPARE_DESCRIPTORS = 1024 }; // besides those of flows: captured ones need none, those of listeners one each

static bool take_runtime(struct portal *portal, struct fault *fault)
{
    char root[RUNTIME_ROOT_SIZE], log[RUNTIME_PATH_SIZE];
    const struct portal_conf *conf = portal->conf;
    if (!runtime_root(root, fault) ||
        !runtime_claim(&portal->runtime, root, conf->name, portal_conf_captures(conf), fault))
        return false;
    runtime_path(log, root, conf->name, "log");
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
    portal->nl = NULL;
}

// A sandbox around us may have no netlink. Without it a change of the network is noticed by what it breaks, only later.
static bool take_watch(struct portal *portal, struct fault *fault)
{
    if (take_netlink(portal, fault))
        portal->watch = watch_new(portal->loop, portal->nl, portal_network_changed, portal, fault);
    if (!portal->watch)
        log_warning("changes of the network are not noticed at once: %s", fault->text);
    return true;
}

static void undo_watch(struct portal *portal)
{
    watch_free(portal->watch);
    undo_netlink(portal);
}

static bool take_control(struct portal *portal, struct fault *fault)
{
    char path[RUNTIME_PATH_SIZE];
    runtime_path(path, portal->runtime.dir, "control", "");
    portal->control = control_new(portal->loop, path, status_answer, portal, fault);
    return portal->control && control_admit(portal->control, &portal->conf->control_group, fault);
}

static void undo_control(struct portal *portal)
{
    control_free(portal->control);
}

// How many files may be open at once.
static unsigned descriptors_needed(const struct portal_conf *conf)
{
    uint64_t count = conf->link.max_sessions + SPARE_DESCRIPTORS;
    if (conf->forwards.count) // what waits for a tunnel has no session yet
        count += value_forwards_ports(&conf->forwards) + conf->max_flows;
    return (unsigned)count;
}

// CAP_NET_ADMIN stays where there are routes: for putting them back, and for the mark on the link's socket.
static bool take_privileges(struct portal *portal, struct fault *fault)
{
    const struct portal_conf *conf = portal->conf;
    sandbox_limits(descriptors_needed(conf) + socks_descriptors(conf) + asking_descriptors(conf) +
                   naming_descriptors(conf));
    return sandbox_drop(conf->user, portal_conf_captures(conf), fault);
}

static bool take_node(struct portal *portal, struct fault *fault)
{
    const struct node_config config = {
        .hold_ms = (uint32_t)portal->conf->hold,
        .turned = portal->capturing ? capturing_turned : portal_turned,
        .owner = portal,
    };
    (void)fault;
    node_init(&portal->node, portal->loop, &config);
    map_init(&portal->map, portal->conf->maps.items, portal->conf->maps.count);
    if (portal->conf->maps.count)
        exchange_add_guide(portal->node.exchange, &portal->map.guide);
    return true;
}

static void undo_node(struct portal *portal)
{
    node_fini(&portal->node);
}

static bool take_path(struct portal *portal, struct fault *fault)
{
    const struct portal_conf *conf = portal->conf;
    struct path_config config = portal_conf_path(conf, portal->gates, portal->identity);
    config.mark = portal_conf_captures(conf) ? ROUTES_MARK : 0; // nothing to stay outside of
    config.nl = portal->nl;
    config.servers = system_dns_servers(portal);
    portal->path = path_new(portal->loop, &config, &PORTAL_PATH_OPS, portal, fault);
    if (portal->path)
        dialled_set_path(&portal->node, portal->path);
    return portal->path;
}

static void undo_path(struct portal *portal)
{
    node_set_link(&portal->node, NULL, NULL);
    path_free(portal->path); // ends the sessions of a tunnel that is still there
    exchange_detach(portal->node.exchange);
}

// A router without a clock of its own is told the time after it has begun, and dates are judged by that from then on.
// Without these news the next attempt notices.
static bool take_clock(struct portal *portal, struct fault *fault)
{
    portal->clock = wall_clock_watch(portal->loop, portal_network_changed, portal, fault);
    if (!portal->clock)
        log_warning("a setting of the clock is not noticed at once: %s", fault->text);
    return true;
}

static void undo_clock(struct portal *portal)
{
    wall_clock_free(portal->clock);
}

// The last step: what is undone later gets by with what is left.
static bool take_seal(struct portal *portal, struct fault *fault)
{
    portal->may_start_programs = portal->conf->proxy.command;
    return portal->may_start_programs ? sandbox_seal_starter(fault) : sandbox_seal_portal(fault);
}

static const struct step RUNTIME = {"runtime directory", take_runtime, undo_runtime};
static const struct step NETLINK = {"netlink", take_netlink, undo_netlink};
static const struct step WATCH = {"network watch", take_watch, undo_watch};
static const struct step CONTROL = {"control socket", take_control, undo_control};
static const struct step PRIVILEGES = {"privileges", take_privileges, NULL};
static const struct step NODE = {"node", take_node, undo_node};
static const struct step PATH = {"link", take_path, undo_path};
static const struct step CLOCK = {"clock", take_clock, undo_clock};
static const struct step SEAL = {"system call filter", take_seal, NULL};

// With Route.
static const struct step *const WITH_TUN[] = {
    &RUNTIME,
    &NETLINK,
    &CAPTURING_DEVICE,
    &CAPTURING_ADDRESSES,
    &CAPTURING_ROUTES,
    &CONTROL,
    &CAPTURING_REPAIR,
    &NAMING_REST,
    &SYSTEM_DNS,
    &SOCKS_SOCKETS,
    &ASKING_SOCKETS,
    &FORWARDING_SOCKETS,
    &ACCEPT_RIGHTS,
    &RENEWER,
    &RENEWAL,
    &PRIVILEGES,
    &NODE,
    &CONTROL_SESSION,
    &CHANGEOVER,
    &CAPTURING_ENTRANCE,
    &NAMING_RESOLVER,
    &SOCKS_ENTRANCE,
    &ASKING_ENTRANCE,
    &HANDING_ENTRANCE,
    &FORWARDING_ENTRANCE,
    &ACCEPT_EXIT,
    &PATH,
    &CLOCK,
    &SEAL,
    NULL,
};

// Without: as root or as anybody.
static const struct step *const WITHOUT_TUN[] = {
    &RUNTIME,
    &WATCH,
    &CAPTURING_LEFT,
    &CONTROL,
    &SYSTEM_DNS,
    &SOCKS_SOCKETS,
    &ASKING_SOCKETS,
    &FORWARDING_SOCKETS,
    &ACCEPT_RIGHTS,
    &RENEWER,
    &RENEWAL,
    &PRIVILEGES,
    &NODE,
    &CONTROL_SESSION,
    &CHANGEOVER,
    &SOCKS_ENTRANCE,
    &ASKING_ENTRANCE,
    &HANDING_ENTRANCE,
    &FORWARDING_ENTRANCE,
    &ACCEPT_EXIT,
    &PATH,
    &CLOCK,
    &SEAL,
    NULL,
};

// Of a run: as root or as anybody, and the device lies in another network.
static const struct step *const WITH_GIVEN_TUN[] = {
    &RUNTIME,
    &WATCH,
    &CAPTURING_GIVEN,
    &CONTROL,
    &NAMING_REST,
    &RENEWAL,
    &PRIVILEGES,
    &NODE,
    &CONTROL_SESSION,
    &CHANGEOVER,
    &CAPTURING_ENTRANCE,
    &NAMING_RESOLVER,
    &HANDING_ENTRANCE,
    &PATH,
    &CLOCK,
    &SEAL,
    NULL,
};

static const struct step *const *steps_of(const struct portal *portal)
{
    if (portal->given)
        return WITH_GIVEN_TUN;
    return portal_conf_captures(portal->conf) ? WITH_TUN : WITHOUT_TUN;
}

static void undo_from(struct portal *portal, size_t count)
{
    const struct step *const *steps = steps_of(portal);
    while (count-- > 0) {
        log_debug("undo: %s", steps[count]->name);
        if (steps[count]->undo)
            steps[count]->undo(portal);
    }
}

bool setup_take(struct portal *portal, struct fault *fault)
{
    const struct step *const *steps = steps_of(portal);
    for (size_t i = 0; steps[i]; i++) {
        log_debug("set up: %s", steps[i]->name);
        if (!steps[i]->take(portal, fault)) {
            undo_from(portal, i);
            return false;
        }
    }
    return true;
}

void setup_undo(struct portal *portal)
{
    size_t count = 0;
    while (steps_of(portal)[count])
        count++;
    undo_from(portal, count);
}
