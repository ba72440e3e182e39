// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/socks.h"

#include "base/memory.h"
#include "edge/listen/socks/socks.h"
#include "os/socket.h"

#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 1024 }; // connections before accept: a browser's start

static void undo_sockets(struct portal *portal)
{
    while (portal->socks_count > 0)
        close(portal->socks_fds[--portal->socks_count]);
    free(portal->socks_fds);
    portal->socks_fds = NULL;
}

static bool take_sockets(struct portal *portal, struct fault *fault)
{
    const struct value_endpoints *listen = &portal->conf->socks.listen;
    portal->socks_fds = memory_new((listen->count + 1) * sizeof *portal->socks_fds);
    for (size_t i = 0; i < listen->count; i++) {
        int fd = socket_listen(&listen->items[i], BACKLOG, fault);
        if (fd < 0) {
            undo_sockets(portal);
            return false;
        }
        portal->socks_fds[portal->socks_count++] = fd;
    }
    return true;
}

static bool take_entrance(struct portal *portal, struct fault *fault)
{
    const struct portal_conf *conf = portal->conf;
    const struct socks_config config = {
        .poller = portal->node.poller,
        .allow = conf->socks.allow.items,
        .allow_count = conf->socks.allow.count,
        .user = conf->socks.user,
        .password = conf->socks.password,
        .max_flows = (uint32_t)conf->max_flows,
        .udp_idle_ms = (uint32_t)conf->udp_idle,
        .udp_dns_idle_ms = (uint32_t)conf->dns_idle,
        .udp_offload = conf->link.udp_offload,
    };
    (void)fault;
    if (portal->socks_count == 0)
        return true;
    struct socks *socks = socks_new(portal->loop, &config);
    exchange_add(portal->node.exchange, socks_edge(socks));
    for (size_t i = 0; i < portal->socks_count; i++)
        socks_listen(socks, portal->socks_fds[i]);
    portal->socks_count = 0;
    return true;
}

const struct step SOCKS_SOCKETS = {"SOCKS sockets", take_sockets, undo_sockets};
const struct step SOCKS_ENTRANCE = {"SOCKS", take_entrance, NULL};

unsigned socks_descriptors(const struct portal_conf *conf)
{
    return conf->socks.listen.count > 0 ? (unsigned)conf->max_flows + SOCKS_DESCRIPTORS : 0;
}
