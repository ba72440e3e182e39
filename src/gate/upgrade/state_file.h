// SPDX-License-Identifier: GPL-2.0-or-later
// The memory file in which one program leaves its state to the next.
#ifndef GATE_UPGRADE_STATE_FILE_H
#define GATE_UPGRADE_STATE_FILE_H

#include "gate/upgrade/state.h"

// A sealed one, close-on-exec, or -1.
int state_write(const struct gate_state *state, struct fault *fault);
// False with a fault; else state_fini. Whether the descriptors are open is not looked at.
bool state_read(struct gate_state *out, int fd, struct fault *fault);

#endif
