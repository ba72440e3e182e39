// SPDX-License-Identifier: GPL-2.0-or-later
// The names of the levels of os/log.h.
#ifndef CLI_LOG_LEVEL_H
#define CLI_LOG_LEVEL_H

#include "os/log.h"

bool log_level_parse(enum log_level *out, const char *name);

#endif
