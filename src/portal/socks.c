// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/socks.h"

#include "base/swap.h"
#include "edge/listen/socks/socks.h"

static bool take_sockets(struct portal *portal, struct fault *fault)
{
    return listening_open(&portal->socks, &portal->conf->socks.listen, fault);
}

static void undo_sockets(struct portal *portal)
{
    listening_close(&portal->socks);
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
    if (portal->socks.count == 0)
        return true;
    struct socks *socks = portal->socks_entrance = socks_new(portal->loop, &config);
    exchange_add(portal->node.exchange, socks_edge(socks));
    for (size_t i = 0; i < portal->socks.count; i++)
        socks_listen(socks, portal->socks.fds[i]);
    listening_taken(&portal->socks);
    return true;
}

const struct step SOCKS_SOCKETS = {"SOCKS sockets", take_sockets, undo_sockets};
const struct step SOCKS_ENTRANCE = {"SOCKS", take_entrance, NULL};

void socks_take(struct portal *portal, struct portal_conf *now, FILE *report)
{
    struct socks_keys *keys = &portal->conf->socks;
    (void)report;
    SWAP(keys->allow, now->socks.allow);
    SWAP(keys->user, now->socks.user);
    SWAP(keys->password, now->socks.password);
    SWAP(keys->password_file, now->socks.password_file);
    if (portal->socks_entrance)
        socks_admit(portal->socks_entrance, keys->allow.items, keys->allow.count, keys->user, keys->password);
}

unsigned socks_descriptors(const struct portal_conf *conf)
{
    return conf->socks.listen.count > 0 ? (unsigned)conf->max_flows + SOCKS_DESCRIPTORS : 0;
}
