// SPDX-License-Identifier: GPL-2.0-or-later
// Ports are what is compared, not lines: a range is as many ports. A port that stays keeps its socket, wherever it leads.
#include "portal/forwarding.h"

#include "base/memory.h"
#include "base/swap.h"
#include "cli/forwards.h"
#include "os/netlink/routes.h"
#include "os/socket/socket.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool leads_there(const struct value_forward *a, const struct value_forward *b)
{
    bool by_name = a->host && b->host;
    return a->port == b->port && !a->host == !b->host &&
           (by_name ? !strcasecmp(a->host, b->host) : address_equal(&a->address, &b->address));
}

// The port of `forwards` that listens where that one does. False: there is none.
static bool find(const struct value_forwards *forwards, const struct value_forward *port, struct value_forward *out)
{
    for (size_t i = 0; i < forwards->count; i++) {
        const struct value_forward *range = &forwards->items[i];
        uint16_t at = (uint16_t)(port->listen.port - range->listen.port);
        if (range->protocol != port->protocol || !address_equal(&range->listen.addr, &port->listen.addr) ||
            at >= range->count)
            continue;
        *out = *range;
        out->listen.port = port->listen.port;
        out->port = (uint16_t)(range->port + at);
        out->count = 1;
        return true;
    }
    return false;
}

void forwarding_forget(struct portal *portal)
{
    for (size_t i = 0; i < portal->forward_fd_count; i++)
        if (portal->forward_fds[i] >= 0)
            close(portal->forward_fds[i]);
    free(portal->forward_fds);
    portal->forward_fds = NULL;
    portal->forward_fd_count = 0;
}

// What comes from outside the tunnel is answered outside of it, whatever is routed into it: so the sockets have the mark.
static int open_port(const struct portal *portal, const struct value_forward *port, struct fault *fault)
{
    int fd = forwards_socket(port, fault);
    if (fd >= 0 && portal_conf_captures(portal->conf))
        socket_set_mark(fd, ROUTES_MARK);
    return fd;
}

// A socket for each port of `now` that is not one of `before`, -1 for the others. On failure `culprit` is the port.
static bool open_new(struct portal *portal, const struct value_forwards *before, const struct value_forwards *now,
                     struct value_forward *culprit, struct fault *fault)
{
    struct value_forward old;
    size_t count = value_forwards_ports(now);
    portal->forward_fds = memory_new((count + 1) * sizeof *portal->forward_fds);
    for (size_t i = 0; i < count; i++) {
        const struct value_forward port = value_forwards_port(now, i);
        bool is_there = find(before, &port, &old);
        int fd = is_there ? -1 : open_port(portal, &port, fault);
        portal->forward_fds[portal->forward_fd_count++] = fd;
        if (fd >= 0 || is_there)
            continue;
        *culprit = port;
        forwarding_forget(portal);
        return false;
    }
    return true;
}

static bool take_sockets(struct portal *portal, struct fault *fault)
{
    static const struct value_forwards none;
    struct value_forward culprit;
    return open_new(portal, &none, &portal->conf->forwards, &culprit, fault);
}

bool forwarding_prepare(struct portal *portal, const struct portal_conf *now, struct config *config)
{
    struct value_forward culprit;
    struct fault fault;
    if (open_new(portal, &portal->conf->forwards, &now->forwards, &culprit, &fault))
        return true;
    listening_explain(&culprit.listen, &fault);
    config_mistake_at(config, culprit.line, "Forward: %s", fault.text);
    return false;
}

static struct forward *make(const struct portal *portal)
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
    struct forward *forward = forward_new(&config);
    exchange_add(portal->node.exchange, forward_edge(forward));
    return forward;
}

// Gives all that was opened to the entrance, and tells of the first that it cannot take.
static bool add_new(struct portal *portal, struct fault *fault)
{
    const struct value_forwards *forwards = &portal->conf->forwards;
    bool ok = true;
    if (portal->forward_fd_count && !portal->forward_entrance)
        portal->forward_entrance = make(portal);
    for (size_t i = 0; ok && i < portal->forward_fd_count; i++) {
        const struct value_forward port = value_forwards_port(forwards, i);
        int fd = portal->forward_fds[i];
        portal->forward_fds[i] = -1;
        ok = fd < 0 || forwards_add(portal->forward_entrance, &port, fd, fault);
    }
    forwarding_forget(portal);
    return ok;
}

static bool take_entrance(struct portal *portal, struct fault *fault)
{
    return add_new(portal, fault);
}

// Those of `before` that are gone, or lead elsewhere.
static void turn_old(struct portal *portal, const struct value_forwards *before)
{
    struct forward *forward = portal->forward_entrance;
    struct value_forward now;
    size_t count = value_forwards_ports(before);
    for (size_t i = 0; i < count; i++) {
        const struct value_forward port = value_forwards_port(before, i);
        if (!find(&portal->conf->forwards, &port, &now))
            forward_close(forward, port.protocol, &port.listen);
        else if (!leads_there(&now, &port))
            forwards_lead(forward, &now);
    }
}

void forwarding_take(struct portal *portal, struct portal_conf *now, FILE *report)
{
    struct fault fault;
    SWAP(portal->conf->forwards, now->forwards);
    turn_old(portal, &now->forwards);
    if (!add_new(portal, &fault))
        fprintf(report, "Forward: %s\n", fault.text);
    node_wake(&portal->node);
}

const struct step FORWARDING_SOCKETS = {"sockets of forwards", take_sockets, forwarding_forget};
const struct step FORWARDING_ENTRANCE = {"forwards", take_entrance, NULL};
