// SPDX-License-Identifier: GPL-2.0-or-later
// A worker: the process that serves one portal and dies with its tunnel. It begins with four
// descriptors (gate/channel/worker_start.h), forked from the template, and it gives up everything else before it reads the first byte of the network.
#ifndef GATE_WORKER_WORKER_H
#define GATE_WORKER_WORKER_H

// Returns the exit code of the process.
int worker_main(void);

#endif
