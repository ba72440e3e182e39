// SPDX-License-Identifier: GPL-2.0-or-later
// Facts on their way from a worker to its supervisor, which believes nothing: every size, name and word is checked, and
// texts come out escaped.
#ifndef GATE_CHANNEL_FACTS_WIRE_H
#define GATE_CHANNEL_FACTS_WIRE_H

#include "base/cursor.h"
#include "base/facts.h"

enum {
    FACTS_WIRE_MAX = 16 * 1024, // bytes of all facts
    FACTS_WIRE_NAME_SIZE = 48,
    FACTS_WIRE_TEXT_SIZE = 256,
    FACTS_WIRE_DEPTH_MAX = 4,
};

// All that is told must stand in groups and lists: outside of them is for what the supervisor itself knows.
void facts_wire_write(struct writer *w, facts_describe *describe, const void *part);
// Tells all that `r` holds; false, with some of it told, when it is not whole. NULL facts: only checks.
bool facts_wire_read(struct reader *r, struct facts *facts);

#endif
