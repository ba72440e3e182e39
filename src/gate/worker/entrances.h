// SPDX-License-Identifier: GPL-2.0-or-later
// The ways into the tunnel that begin at the gate: ports that lead to what is behind the portal, and networks behind it that
// are captured here. The supervisor makes sockets and devices and hands them over; whatever comes through them is the
// portal's to judge.
#ifndef GATE_WORKER_ENTRANCES_H
#define GATE_WORKER_ENTRANCES_H

#include "config/gate_conf.h"
#include "edge/capture/capture.h"
#include "edge/listen/forward/forward.h"
#include "exchange/map.h"
#include "gate/channel/channel.h"
#include "node/node.h"

struct entrances {
    const struct gate_conf *conf;
    struct node *node;
    const char *portal;      // by its certificate
    const char *who;         // for log lines
    struct forward *forward; // the node's, once there are any
    struct tun tun;          // of the capture; its descriptor goes with the process
    struct capture *capture; // the node's, once there are any
    struct map map;          // of what is captured
};

// Sockets for the ports of the portal's forwards, from the one at `first` on. The descriptors are the callee's.
void entrances_take_forwards(struct entrances *entrances, size_t first, const int *fds, size_t count);
// Another worker has the same sockets, and takes what comes to them from now on.
void entrances_release_forwards(struct entrances *entrances);
// A TUN device, as CHANNEL_EXPORT describes it.
void entrances_take_export(struct entrances *entrances, const struct channel_message *message, int fd);
// It was deleted, and is there again behind the same descriptor.
void entrances_export_back(struct entrances *entrances);

#endif
