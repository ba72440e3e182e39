// SPDX-License-Identifier: GPL-2.0-or-later
// The supervisor: listens, starts a worker for each connection, and keeps the books. It never reads a byte that came
// from the network.
#ifndef GATE_SUPERVISOR_SUPERVISOR_H
#define GATE_SUPERVISOR_SUPERVISOR_H

#include "config/gate_conf.h"
#include "gate/channel/handover.h"
#include "gate/upgrade/state.h"

// What an earlier program in this process has left.
struct supervisor_legacy {
    const struct gate_state *state;
    struct gate_conf *now; // in force instead of what it began with; NULL: that
    int fd;                // that it was left in; closed when all has been taken
    const char *back;      // why the program in between has given the process back; NULL: there was none
};

// Runs until it is told to end. Returns false with a fault when it could not start. `handover` is
// wiped as soon as it is in the file for the workers; `name_or_file` is where it can be read again. With a `legacy`, else
// NULL, a start that failed has left its descriptors as they were.
bool supervisor_run(const struct gate_conf *conf, const char *name_or_file, struct handover *handover,
                    const struct supervisor_legacy *legacy, struct fault *fault);

#endif
