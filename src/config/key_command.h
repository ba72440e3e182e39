// SPDX-License-Identifier: GPL-2.0-or-later
// KeyCommand: /bin/sh runs it as whoever we are, and what it prints is the key, or the passphrase of the one in Key.
#ifndef CONFIG_KEY_COMMAND_H
#define CONFIG_KEY_COMMAND_H

#include "config/config.h"

config_parse key_command_parse; // char *

// `out` is a secret. The fault is a sentence about KeyCommand.
bool key_command_run(struct blob *out, const char *command, struct fault *fault);

#endif
