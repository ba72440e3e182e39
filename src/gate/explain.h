// SPDX-License-Identifier: GPL-2.0-or-later
// `usher-gate explain`: what a gate would say to a portal that wanted to go somewhere, and why, without going there.
#ifndef GATE_EXPLAIN_H
#define GATE_EXPLAIN_H

#include "cli/command.h"

int explain_run(const struct command_line *line);

#endif
