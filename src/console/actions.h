// SPDX-License-Identifier: GPL-2.0-or-later
// What a button does: down, reload and end by the control socket of the instance, up by the service manager.
#ifndef CONSOLE_ACTIONS_H
#define CONSOLE_ACTIONS_H

#include "console/source.h"

#include <uv.h>

enum { ACTIONS_MAX = 16 }; // under way at once

struct actions;
struct action {
    const char *deed; // one that actions_sentence knows
    const struct source_instance *instance;
    const char *portal; // of end
};

// What it will do, as a question to who asked for it; NULL: there is no such deed for this instance.
const char *actions_question(const struct action *action);

// Exactly once: what became of it, in one sentence.
typedef void actions_done(void *owner, bool ok, const char *outcome);

struct actions *actions_new(uv_loop_t *loop);
void actions_free(struct actions *actions); // nobody is told any more
void actions_do(struct actions *actions, const struct action *action, actions_done *done, void *owner);

#endif
