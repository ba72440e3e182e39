// SPDX-License-Identifier: GPL-2.0-or-later
// What operators ask of a gate by its control socket.
#ifndef GATE_SUPERVISOR_REQUESTS_H
#define GATE_SUPERVISOR_REQUESTS_H

#include "cli/control.h"

// For control_new; the owner is the supervisor.
void requests_answer(void *supervisor, const char *line, struct control_request *request);

#endif
