// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/worker/entrances.h"

#include "cli/forwards.h"
#include "os/log.h"

#include <assert.h>
#include <string.h>

static void add_forward(struct entrances *entrances)
{
    const struct gate_conf *conf = entrances->conf;
    const struct forward_config config = {
        .loop = entrances->node->loop,
        .poller = entrances->node->poller,
        .max_flows = (uint32_t)conf->link.max_sessions,
        .udp_idle_ms = (uint32_t)conf->udp_idle,
        .udp_dns_idle_ms = (uint32_t)conf->dns_idle,
        .udp_offload = conf->link.udp_offload,
    };
    entrances->forward = forward_new(&config);
    exchange_add(entrances->node->exchange, forward_edge(entrances->forward));
}

void entrances_take_forwards(struct entrances *entrances, size_t first, const int *fds, size_t count)
{
    const struct value_forwards *forwards = access_forwards(&entrances->conf->access, entrances->portal);
    assert(forwards && first + count <= value_forwards_ports(forwards));
    if (!entrances->forward)
        add_forward(entrances);
    for (size_t i = 0; i < count; i++) {
        const struct value_forward port = value_forwards_port(forwards, first + i);
        struct fault fault;
        if (!forwards_add(entrances->forward, &port, fds[i], &fault))
            log_error("%s: %s", entrances->who, fault.text);
    }
}

void entrances_release_forwards(struct entrances *entrances)
{
    if (entrances->forward)
        forward_release(entrances->forward);
}

// What has other addresses behind the portal.
static void add_map(struct entrances *entrances)
{
    const struct value_maps *maps = access_maps(&entrances->conf->access, entrances->portal);
    if (!maps)
        return;
    map_init(&entrances->map, maps->items, maps->count);
    exchange_add_guide(entrances->node->exchange, &entrances->map.guide);
}

void entrances_take_export(struct entrances *entrances, const struct channel_message *message, int fd)
{
    const struct gate_conf *conf = entrances->conf;
    struct fault fault;
    assert(!entrances->capture);
    entrances->tun = (struct tun){
        .fd = fd,
        .index = message->export.index,
        .offload = message->export.offload,
        .uso = message->export.uso,
    };
    memcpy(entrances->tun.name, message->export.device, sizeof entrances->tun.name);
    add_map(entrances);
    const struct capture_config config = {
        .mtu = CHANNEL_EXPORT_MTU,
        .max_flows = (uint32_t)conf->link.max_sessions,
        .receive_budget = conf->link.window_budget,
        .udp_idle_ms = (uint32_t)conf->udp_idle,
        .udp_dns_idle_ms = (uint32_t)conf->dns_idle,
        .udp_offload = conf->link.udp_offload,
    };
    entrances->capture = capture_new(entrances->node->loop, &entrances->tun, &config, &fault);
    if (entrances->capture)
        exchange_add(entrances->node->exchange, capture_edge(entrances->capture));
    else
        log_error("%s: %s", entrances->who, fault.text);
}

void entrances_export_back(struct entrances *entrances)
{
    if (entrances->capture)
        capture_device_back(entrances->capture);
}
