// SPDX-License-Identifier: GPL-2.0-or-later
// The commands of usher-tun; each returns its exit code.
#ifndef PORTAL_COMMANDS_H
#define PORTAL_COMMANDS_H

#include "cli/command.h"

int command_up(const struct command_line *line);
int command_down(const struct command_line *line);
int command_reload(const struct command_line *line);
int command_run(const struct command_line *line);
int command_status(const struct command_line *line);
int command_flows(const struct command_line *line);
int command_join(const struct command_line *line);
int command_renew(const struct command_line *line);
int command_check(const struct command_line *line);
int command_bundle(const struct command_line *line);
int command_top(const struct command_line *line);
int command_denials(const struct command_line *line);

#endif
