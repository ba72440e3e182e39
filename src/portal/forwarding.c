// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/forwarding.h"

#include "base/memory.h"
#include "cli/forwards.h"
#include "os/routes.h"
#include "os/socket.h"
#include "portal/portal.h"

#include <stdlib.h>

// What comes from outside the tunnel is answered outside of it, whatever is routed into it: so the sockets have the mark.
static bool take_sockets(struct portal *portal, struct fault *fault)
{
    const struct value_forwards *forwards = &portal->conf->forwards;
    size_t count = value_forwards_ports(forwards);
    portal->forward_fds = memory_new((count + 1) * sizeof *portal->forward_fds);
    if (!forwards_listen(forwards, portal->forward_fds, fault)) {
        free(portal->forward_fds);
        portal->forward_fds = NULL;
        return false;
    }
    for (size_t i = 0; portal_conf_captures(portal->conf) && i < count; i++)
        socket_set_mark(portal->forward_fds[i], ROUTES_MARK);
    return true;
}

static void undo_sockets(struct portal *portal)
{
    if (portal->forward_fds)
        forwards_close(portal->forward_fds, value_forwards_ports(&portal->conf->forwards));
    free(portal->forward_fds);
    portal->forward_fds = NULL;
}

// Gives all of them away, also when it fails.
static bool add_all(struct portal *portal, struct forward *forward, struct fault *fault)
{
    const struct value_forwards *forwards = &portal->conf->forwards;
    size_t count = value_forwards_ports(forwards), i = 0;
    int *fds = portal->forward_fds;
    bool ok = true;
    for (; ok && i < count; i++) {
        const struct value_forward port = value_forwards_port(forwards, i);
        ok = forwards_add(forward, &port, fds[i], fault);
    }
    forwards_close(fds + i, count - i);
    free(fds);
    portal->forward_fds = NULL;
    return ok;
}

static bool take_entrance(struct portal *portal, struct fault *fault)
{
    const struct portal_conf *conf = portal->conf;
    const struct forward_config config = {
        .loop = portal->loop,
        .poller = portal->node.poller,
        .max_flows = (uint32_t)conf->max_flows,
        .udp_idle_ms = (uint32_t)conf->udp_idle,
        .udp_dns_idle_ms = (uint32_t)conf->dns_idle,
        .udp_offload = conf->link.udp_offload,
    };
    if (!conf->forwards.count)
        return true;
    struct forward *forward = forward_new(&config);
    exchange_add(portal->node.exchange, forward_edge(forward));
    return add_all(portal, forward, fault);
}

const struct step FORWARDING_SOCKETS = {"sockets of forwards", take_sockets, undo_sockets};
const struct step FORWARDING_ENTRANCE = {"forwards", take_entrance, NULL};
