// SPDX-License-Identifier: GPL-2.0-or-later
// What stands between a segment and lwIP: checks that lwIP does not make or that end in one of its asserts, and those
// of RFC 5961 that protect a connection from somebody who cannot see it.
#ifndef STACK_SHIELD_H
#define STACK_SHIELD_H

#include "packet/segment.h"
#include "stack/flow.h"

enum {
    SHIELD_PASS = 1,   // lwIP may have it
    SHIELD_ANSWER = 2, // say where we are, with an acknowledgement
};

// Judges a segment of a flow that has a pcb, and cuts it to what lwIP may see. Zero: drop it in silence.
unsigned shield_segment(const struct stack_flow *flow, struct segment *segment);

#endif
