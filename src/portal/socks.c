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

static struct socks *make(const struct portal *portal)
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
    struct socks *socks = socks_new(portal->loop, &config);
    exchange_add(portal->node.exchange, socks_edge(socks));
    return socks;
}

static void listen_anew(struct portal *portal)
{
    if (portal->socks.count && !portal->socks_entrance)
        portal->socks_entrance = make(portal);
    for (size_t i = 0; i < portal->socks.count; i++)
        socks_listen(portal->socks_entrance, portal->socks.fds[i]);
    listening_taken(&portal->socks);
}

static bool take_entrance(struct portal *portal, struct fault *fault)
{
    (void)fault;
    listen_anew(portal);
    return true;
}

const struct step SOCKS_SOCKETS = {"SOCKS sockets", take_sockets, undo_sockets};
const struct step SOCKS_ENTRANCE = {"SOCKS", take_entrance, NULL};

bool socks_prepare(struct portal *portal, const struct portal_conf *now, struct config *config)
{
    struct fault fault;
    if (listening_open_new(&portal->socks, &portal->conf->socks.listen, &now->socks.listen, &fault))
        return true;
    config_mistake(config, "Portal", "Socks", "Socks: %s", fault.text);
    return false;
}

void socks_take(struct portal *portal, struct portal_conf *now, FILE *report)
{
    struct socks_keys *keys = &portal->conf->socks;
    (void)report;
    SWAP(*keys, now->socks);
    for (size_t i = 0; i < now->socks.listen.count; i++)
        if (!listening_is_among(&keys->listen, &now->socks.listen.items[i]))
            socks_listen_no_more(portal->socks_entrance, &now->socks.listen.items[i]);
    listen_anew(portal);
    if (portal->socks_entrance)
        socks_admit(portal->socks_entrance, keys->allow.items, keys->allow.count, keys->user, keys->password);
}

unsigned socks_descriptors(const struct portal_conf *conf)
{
    return conf->socks.listen.count > 0 ? (unsigned)conf->max_flows + SOCKS_DESCRIPTORS : 0;
}
