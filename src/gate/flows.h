// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef GATE_FLOWS_H
#define GATE_FLOWS_H

#include "cli/command_table.h"

// `usher-gate flows`: of all gates of this machine, since a portal is known by its certificate, wherever it has logged in.
int flows_run(const struct command_line *line);

#endif
