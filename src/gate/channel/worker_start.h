// SPDX-License-Identifier: GPL-2.0-or-later
// How a supervisor starts a worker: this very program, with these arguments and descriptors.
#ifndef GATE_CHANNEL_WORKER_START_H
#define GATE_CHANNEL_WORKER_START_H

#define WORKER_COMMAND "worker"

enum {
    WORKER_SOCKET_FD = 3, // the accepted connection
    WORKER_CHANNEL_FD,    // to the supervisor (gate/channel/channel.h)
    WORKER_HANDOVER_FD,   // gate/channel/handover.h
    WORKER_HOSTS_FD,      // /etc/hosts as it is now; /dev/null where there is none
    WORKER_FDS            // how many, with the standard ones
};

#endif
