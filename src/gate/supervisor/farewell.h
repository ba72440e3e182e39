// SPDX-License-Identifier: GPL-2.0-or-later
// How a gate ends: nobody is let in any more, workers are told, and those that do not go in time are killed.
#ifndef GATE_SUPERVISOR_FAREWELL_H
#define GATE_SUPERVISOR_FAREWELL_H

struct supervisor;

void farewell_stop_listening(struct supervisor *supervisor);
// The loop stops when the last worker has gone. More than once does nothing.
void farewell_begin(struct supervisor *supervisor);

#endif
