// SPDX-License-Identifier: GPL-2.0-or-later
// The kinds of values a configuration knows, each a `config_parse`: numbers and words. The field's type stands behind each.
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/config.h"

config_parse value_path;      // char *, absolute
config_parse value_word;      // char *: letters, digits, "-", "_", "."; at most 15 bytes when `max` is 15
config_parse value_number;    // uint64_t
config_parse value_size;      // uint64_t, bytes: "64K", "16M", "1G"
config_parse value_budget;    // uint64_t, bytes: a size, or "auto": 256M, or a quarter of the memory if that is less
config_parse value_duration;  // uint64_t, milliseconds: "200ms", "30s", "5m", "1h"
config_parse value_switch;    // bool: yes or no
config_parse value_log_level; // enum log_level: error, warning, info or debug

#endif
