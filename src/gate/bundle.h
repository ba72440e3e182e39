// SPDX-License-Identifier: GPL-2.0-or-later
// `usher-gate bundle`.
#ifndef GATE_BUNDLE_H
#define GATE_BUNDLE_H

#include "cli/command.h"

int gate_bundle(const struct command_line *line);

#endif
