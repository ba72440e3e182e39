// SPDX-License-Identifier: GPL-2.0-or-later
// `top`: what moves through the tunnels, as it moves; on a terminal, or once, as text, where there is none.
#ifndef CLI_TOP_TOP_H
#define CLI_TOP_TOP_H

#include "cli/command.h"

// `role` is "portal" or "gate".
int top_run(const struct command_line *line, const char *program, const char *role);

#endif
