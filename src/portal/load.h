// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef PORTAL_LOAD_H
#define PORTAL_LOAD_H

#include "cli/command.h"
#include "config/portal_conf.h"

// As portal_conf_load, for a command, with mistakes to standard error, and the library started that judges credentials.
struct portal_conf *portal_load(const struct command_line *line, enum portal_use use, bool at_terminal_only,
                                struct tls_identity **identity, struct in_force *force);

#endif
