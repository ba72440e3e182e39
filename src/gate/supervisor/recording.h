// SPDX-License-Identifier: GPL-2.0-or-later
// What goes into the audit file, of what the supervisor sees and of what its workers tell it.
#ifndef GATE_SUPERVISOR_RECORDING_H
#define GATE_SUPERVISOR_RECORDING_H

#include "cli/control.h"
#include "gate/audit/trail.h"
#include "gate/supervisor/child.h"

void recording_up(struct trail *trail, const struct child *child);
void recording_resumed(struct trail *trail, const struct child *child);
// A worker's CHANNEL_AUDIT.
void recording_told(struct trail *trail, struct child *child, const struct channel_message *message);
// The process has ended, by `signal` if that is not 0. Says that the tunnel is over, where it has not said so itself.
void recording_gone(struct trail *trail, const struct child *child, int signal);
// What an operator asks for, by his command or by a console; of which portal, or NULL.
void recording_act(struct trail *trail, const struct control_request *request, const char *act, const char *portal);

#endif
