// SPDX-License-Identifier: GPL-2.0-or-later
// A worker: the process that serves one portal and dies with its tunnel. It is this very program, run by the supervisor
// with four inherited descriptors, and it gives up everything else before it reads the first byte of the network.
#ifndef GATE_WORKER_H
#define GATE_WORKER_H

#define WORKER_COMMAND "worker"

enum {
    WORKER_SOCKET_FD = 3, // the accepted connection
    WORKER_CHANNEL_FD,    // to the supervisor (gate/channel.h)
    WORKER_HANDOVER_FD,   // gate/handover.h
    WORKER_HOSTS_FD,      // /etc/hosts as it is now; not open where there is none
    WORKER_FDS            // how many, with the standard ones
};

// Returns the exit code of the process.
int worker_main(void);

#endif
