// SPDX-License-Identifier: GPL-2.0-or-later
// Finding the flow of a segment.
#ifndef STACK_DEMUX_H
#define STACK_DEMUX_H

#include "packet/segment.h"
#include "stack/flow.h"

// Keyed, so that nobody outside can make flows collide.
uint64_t demux_hash(const struct stack *stack, const struct segment *segment);
// NULL when there is none.
struct stack_flow *demux_find(const struct stack *stack, const struct segment *segment, uint64_t hash);

#endif
