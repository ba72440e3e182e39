// SPDX-License-Identifier: GPL-2.0-or-later
// `flows` of an instance, which costs it a walk over all of them: asked only while somebody looks, one question under way
// at a time, and what came is good for two seconds.
#ifndef CONSOLE_FLOWS_H
#define CONSOLE_FLOWS_H

#include "base/fault.h"
#include "console/told.h"

#include <stdbool.h>
#include <uv.h>

struct flows;

struct flows *flows_new(uv_loop_t *loop);
void flows_free(struct flows *flows); // nobody is told any more
// As source_flows says, of the control socket at `path`.
bool flows_ask(struct flows *flows, const char *path,
               void (*done)(void *owner, const struct told *answer, const struct fault *why), void *owner);

#endif
