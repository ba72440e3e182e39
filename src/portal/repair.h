// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps the portal's routes in place while other managers change the host's: what they delete is put back, at most so
// often (portal/watch.h), and the owner hears of every change of the network that is not our own.
#ifndef PORTAL_REPAIR_H
#define PORTAL_REPAIR_H

#include "config/value_net.h"
#include "os/netlink/routes.h"
#include "os/tun/tun.h"

#include <uv.h>

struct repair;

struct repair_config {
    struct netlink *nl; // all borrowed
    const struct tun *tun;
    const struct value_prefixes *addresses; // of the device
    const struct routes *plan;
    uint32_t mtu, queue_length; // as in netlink_link_up
};

struct repair_ops {
    void (*changed)(void *owner); // addresses or routes of the host
    void (*gone)(void *owner);    // somebody has deleted the device: make it again
};

struct repair *repair_new(uv_loop_t *loop, const struct repair_config *config, const struct repair_ops *ops,
                          void *owner, struct fault *fault);
void repair_free(struct repair *repair);
// Look soon, whether the kernel tells of a change or not.
void repair_look(struct repair *repair);

#endif
