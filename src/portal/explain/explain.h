// SPDX-License-Identifier: GPL-2.0-or-later
// `usher-tun explain`: what becomes of a flow that an application on this machine would open, step by step, each with what
// helps where it fails. It looks and tries; it changes nothing.
#ifndef PORTAL_EXPLAIN_EXPLAIN_H
#define PORTAL_EXPLAIN_EXPLAIN_H

#include "cli/command.h"

int explain_run(const struct command_line *line);

#endif
