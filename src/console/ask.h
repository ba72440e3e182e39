// SPDX-License-Identifier: GPL-2.0-or-later
// One request to a control socket, on the loop: a line, and all that comes until the end of file. Bounded in size and time.
#ifndef CONSOLE_ASK_H
#define CONSOLE_ASK_H

#include "base/fault.h"
#include "console/told.h"

#include <uv.h>

struct ask;

#define ASK_ABSENT "it is not running" // as a reason

// Exactly once for each ask, never from within ask_start: `answer` is the callee's, or NULL with the reason. An answer that
// is {"error": ...} is a reason.
typedef void ask_done(void *owner, const struct told *answer, const struct fault *why);

struct ask *ask_start(uv_loop_t *loop, const char *path, const char *line, ask_done *done, void *owner);
// Nobody is told any more.
void ask_cancel(struct ask *ask);

#endif
