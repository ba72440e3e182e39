// SPDX-License-Identifier: GPL-2.0-or-later
// The levels of os/log.h as a kind of value.
#ifndef CLI_LOG_LEVEL_H
#define CLI_LOG_LEVEL_H

#include "cli/config.h"
#include "os/log.h"

config_parse value_log_level; // enum log_level: error, warning, info or debug

#endif
