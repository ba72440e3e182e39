// SPDX-License-Identifier: GPL-2.0-or-later
// What a flow and its pcb have for each other at the end of a turn: bytes, window, FIN and acknowledgements, in as few
// packets as they fit into.
#ifndef STACK_EXCHANGE_H
#define STACK_EXCHANGE_H

#include "stack/flow.h"

// For a flow whose pcb is not in TIME_WAIT.
void exchange_flow(struct stack_flow *flow, bool link_blocked);

#endif
