// SPDX-License-Identifier: GPL-2.0-or-later
// How a supervisor starts workers: this very program with these arguments, which forks for each connection that it is handed, and
// the descriptors that both have beside the standard ones.
#ifndef GATE_CHANNEL_WORKER_START_H
#define GATE_CHANNEL_WORKER_START_H

#define WORKER_COMMAND "worker"

enum {
    TEMPLATE_FD =
        3, // before the fork: where descriptors come from, one byte with each worker's, and process numbers go

    WORKER_SOCKET_FD = 3, // the accepted connection
    WORKER_CHANNEL_FD,    // to the supervisor (gate/channel/channel.h)
    WORKER_HANDOVER_FD,   // gate/channel/handover.h
    WORKER_HOSTS_FD,      // /etc/hosts as it is now; /dev/null where there is none
    WORKER_FDS,           // how many, with the standard ones
    WORKER_HANDED = WORKER_FDS - WORKER_SOCKET_FD
};

#endif
