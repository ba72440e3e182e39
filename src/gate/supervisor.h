// SPDX-License-Identifier: GPL-2.0-or-later
// The supervisor: listens, starts a worker for each connection, and keeps the books. It never reads a byte that came
// from the network.
#ifndef GATE_SUPERVISOR_H
#define GATE_SUPERVISOR_H

#include "config/gate_conf.h"
#include "gate/handover.h"

// Runs until it is told to end. Returns false with a fault when it could not start. `handover` is
// wiped as soon as it is in the file for the workers; `name_or_file` is where it can be read again.
bool supervisor_run(const struct gate_conf *conf, const char *name_or_file, struct handover *handover,
                    struct fault *fault);

#endif
