// SPDX-License-Identifier: GPL-2.0-or-later
// A command in the place of a connection: /bin/sh runs it as whoever we are, and its standard input and output are the
// connection. What it says on its standard error goes to the log, the first lines of it.
#ifndef LINK_PATH_COMMAND_H
#define LINK_PATH_COMMAND_H

#include "base/fault.h"

#include <stdint.h>
#include <uv.h>

struct command;

// `pattern` with the gate in the places of %h and %p, and % for %%; a text of the caller's. NULL when another letter stands
// behind a %.
char *command_expand(const char *pattern, const char *host, uint16_t port);

// Starts it, in a process group of its own. `*fd` is the caller's: our end of its standard input and output.
struct command *command_new(uv_loop_t *loop, const char *line, int *fd, struct fault *fault);
// Waits a moment for it to end by itself, since our end is closed, and makes it. `done` comes once, from the loop: `why` is
// what it failed of, "" when it did not. Then command_free.
void command_finish(struct command *command, void (*done)(void *owner, const char *why), void *owner);
// Kills it with all its group, without a callback. NULL is nobody's.
void command_free(struct command *command);

#endif
