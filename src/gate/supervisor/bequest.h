// SPDX-License-Identifier: GPL-2.0-or-later
// What a supervisor leaves to the next program in its process, gathered from its parts, and workers taken over from it.
#ifndef GATE_SUPERVISOR_BEQUEST_H
#define GATE_SUPERVISOR_BEQUEST_H

#include "cli/control.h"
#include "cli/runtime.h"
#include "gate/supervisor/adoption.h"
#include "gate/supervisor/handout.h"
#include "gate/supervisor/health.h"
#include "gate/supervisor/renewal.h"
#include "gate/upgrade/state.h"
#include "os/socket/listener.h"

// The supervisor's; all borrowed.
struct bequest_parts {
    const char *name_or_file;
    const struct runtime *runtime;
    const struct control *control;
    struct listener *const *listeners; // NULL: it listens no more
    size_t listener_count;
    const struct health *health;
    size_t health_count;
    const struct renewal *renewal;
    const struct handout *handout;
    struct admission *admission;
    struct adoption *adoption;
    struct list *children;
    time_t since;
    bool retiring;
};

// The caller's: state_fini.
void bequest_gather(const struct bequest_parts *parts, struct gate_state *out);
// The workers of an earlier program join `parts->children`; returns how many, or -1 with a fault.
int bequest_adopt(const struct bequest_parts *parts, const struct gate_state *state, uv_loop_t *loop,
                  const struct child_ops *ops, void *owner, struct fault *fault);

#endif
