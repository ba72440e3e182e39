// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/asking.h"

#include "base/swap.h"
#include "edge/listen/ask/ask.h"

static bool take_sockets(struct portal *portal, struct fault *fault)
{
    return listening_open(&portal->ask, &portal->conf->ask, fault);
}

static void undo_sockets(struct portal *portal)
{
    listening_close(&portal->ask);
}

static struct ask *make(const struct portal *portal)
{
    const struct ask_config config = {
        .poller = portal->node.poller,
        .max_flows = (uint32_t)portal->conf->max_flows,
    };
    struct ask *ask = ask_new(portal->loop, &config);
    exchange_add(portal->node.exchange, ask_edge(ask));
    return ask;
}

static void listen_anew(struct portal *portal)
{
    if (portal->ask.count && !portal->ask_entrance)
        portal->ask_entrance = make(portal);
    for (size_t i = 0; i < portal->ask.count; i++)
        ask_listen(portal->ask_entrance, portal->ask.fds[i]);
    listening_taken(&portal->ask);
}

static bool take_entrance(struct portal *portal, struct fault *fault)
{
    (void)fault;
    listen_anew(portal);
    return true;
}

bool asking_prepare(struct portal *portal, const struct portal_conf *now, struct config *config)
{
    struct fault fault;
    if (listening_open_new(&portal->ask, &portal->conf->ask, &now->ask, &fault))
        return true;
    config_mistake(config, "Portal", "Ask", "Ask: %s", fault.text);
    return false;
}

void asking_take(struct portal *portal, struct portal_conf *now, FILE *report)
{
    (void)report;
    SWAP(portal->conf->ask, now->ask);
    for (size_t i = 0; i < now->ask.count; i++)
        if (!listening_is_among(&portal->conf->ask, &now->ask.items[i]))
            ask_listen_no_more(portal->ask_entrance, &now->ask.items[i]);
    listen_anew(portal);
}

const struct step ASKING_SOCKETS = {"sockets of Ask", take_sockets, undo_sockets};
const struct step ASKING_ENTRANCE = {"Ask", take_entrance, NULL};

unsigned asking_descriptors(const struct portal_conf *conf)
{
    return conf->ask.count > 0 ? (unsigned)conf->max_flows + ASK_DESCRIPTORS : 0;
}
