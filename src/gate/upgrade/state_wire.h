// SPDX-License-Identifier: GPL-2.0-or-later
// The state of a gate as bytes.
#ifndef GATE_UPGRADE_STATE_WIRE_H
#define GATE_UPGRADE_STATE_WIRE_H

#include "gate/upgrade/state.h"

// How many there are, or 0 when they do not fit.
size_t state_encode(const struct gate_state *state, uint8_t *room, size_t size);
// False with a fault; else state_fini.
bool state_decode(struct gate_state *out, const uint8_t *bytes, size_t len, struct fault *fault);

#endif
