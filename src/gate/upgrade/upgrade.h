// SPDX-License-Identifier: GPL-2.0-or-later
// Another program takes the supervisor's place in the same process: the one that lies where the running one was started from.
// It is tried first, in a child: whether it can read the state and what the gate runs by. Only then is it executed,
// with all descriptors inherited; if it fails before it stands, it gives the process back to the program before it.
#ifndef GATE_UPGRADE_UPGRADE_H
#define GATE_UPGRADE_UPGRADE_H

#include "cli/control.h"
#include "gate/upgrade/state.h"

#define UPGRADE_TRIAL "stand-in"

enum { UPGRADE_TRIAL_STATE_FD = 3, UPGRADE_TRIAL_HANDOVER_FD, UPGRADE_TRIAL_FDS };

struct upgrade;

struct upgrade_config {
    const char *name; // of the instance
    // The state as it is now, but for `version`, `previous` and `asker`; the caller's to free (state_fini).
    void (*gather)(void *owner, struct gate_state *out);
    // What the next program cannot know of is ended: it takes over now, or this one goes on.
    void (*leave)(void *owner);
    void *owner;
};

struct upgrade *upgrade_new(uv_loop_t *loop, const struct upgrade_config *config);
void upgrade_free(struct upgrade *upgrade);
// Now; `request` is answered, by the next program if it stands. NULL: a signal asked, and the log tells.
void upgrade_run(struct upgrade *upgrade, struct control_request *request);

// The other side. Whether an earlier program in this process has left its state; then `fd` has it, and `back` is why the one
// between has given the process back, or NULL.
bool upgrade_is_due(int *fd, const char **back);
// Signals that came meanwhile are taken from here on.
void upgrade_take_signals(void);
// Gives the process back to the program before, which has left `state` in `fd`; returns only if that cannot be had.
void upgrade_go_back(const struct gate_state *state, int fd, const char *why);
// What the child of a trial does: its exit code.
int upgrade_trial(void);
// Answers who asked for it: `error` NULL: this program stands.
void upgrade_answer(const struct gate_state *state, const char *name, const char *error);

#endif
