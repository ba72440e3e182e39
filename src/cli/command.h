// SPDX-License-Identifier: GPL-2.0-or-later
// The command line: `program command [options] [arguments]`, the same way in both programs.
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/command_table.h"

// Finds and runs the command; wrong usage says so and shows the right one. Returns the exit code.
int command_main(const struct command_program *program, int argc, char **argv);

#endif
