// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/asking.h"

#include "edge/listen/ask/ask.h"

static bool take_sockets(struct portal *portal, struct fault *fault)
{
    return listening_open(&portal->ask, &portal->conf->ask, fault);
}

static void undo_sockets(struct portal *portal)
{
    listening_close(&portal->ask);
}

static bool take_entrance(struct portal *portal, struct fault *fault)
{
    const struct ask_config config = {
        .poller = portal->node.poller,
        .max_flows = (uint32_t)portal->conf->max_flows,
    };
    (void)fault;
    if (portal->ask.count == 0)
        return true;
    struct ask *ask = ask_new(portal->loop, &config);
    exchange_add(portal->node.exchange, ask_edge(ask));
    for (size_t i = 0; i < portal->ask.count; i++)
        ask_listen(ask, portal->ask.fds[i]);
    listening_taken(&portal->ask);
    return true;
}

const struct step ASKING_SOCKETS = {"sockets of Ask", take_sockets, undo_sockets};
const struct step ASKING_ENTRANCE = {"Ask", take_entrance, NULL};

unsigned asking_descriptors(const struct portal_conf *conf)
{
    return conf->ask.count > 0 ? (unsigned)conf->max_flows + ASK_DESCRIPTORS : 0;
}
