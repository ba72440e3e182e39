// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef PORTAL_STATUS_H
#define PORTAL_STATUS_H

#include "cli/control.h"

// Answers the control socket (interface: status, flows, down); `owner` is the portal.
void status_answer(void *owner, const char *line, struct control_request *request);

#endif
