// SPDX-License-Identifier: GPL-2.0-or-later
// A tunnel that has lost its lane is held aside, and the rounds go on as if there were none, beginning with its gate, which
// is asked to go on with it. Whoever comes up first wins. The same while its lane is merely silent: if it is heard again,
// the attempt is dropped, and nobody has noticed.
#include "link/path/internal.h"

#include "os/clock.h"

#include <stdio.h>

enum { CALM_USEC = 500 * USEC_PER_MSEC }; // a lane that lives for less does not get the next one at once

// What has the tunnel steps aside for an attempt at another lane for it, which begins at once.
void holding_begin(struct path *path)
{
    returning_stop(path);
    path->held = path->approach;
    path->held_gate = path->next = path->gate;
    path->approach = NULL;
    snprintf(path->held_why, sizeof path->held_why, "nothing was heard from the gate any more");
    path->at_once = clock_now() - path->begun_at >= CALM_USEC;
    if (path->at_once)
        backoff_reset(&path->backoff);
    rounds_wait(path);
    rounds_hurry(path);
}

// What was held is lost, for `why`.
void holding_lose(struct path *path, const char *why)
{
    char text[PATH_WHY_SIZE];
    snprintf(text, sizeof text, "%s", why);
    approach_free(path->held);
    path->held = NULL;
    path->held_over = false;
    rounds_hurry(path);
    path->ops->down(path->owner, PATH_LOST, text);
}

// A lane of its own carries the tunnel again, or the one that it had still does.
void holding_take_back(struct path *path)
{
    if (path->phase == THROUGH)
        approach_join(path->held, path->approach);
    rounds_abandon(path);
    path->approach = path->held;
    path->gate = path->held_gate;
    path->held = NULL;
    path->phase = path->held_over ? FAILED : UP;
    path->held_over = false;
    path->begun_at = clock_now();
    path->patience = PATH_PATIENCE_USEC;
    path->rerouted = false;
    rounds_hurry(path);
    returning_schedule(path);
}

// Its ResumeTimeout is over, or it was ended.
static void end_held(struct path *path)
{
    rounds_abandon(path);
    path->at_once = true;
    rounds_wait(path);
    holding_lose(path, approach_why(path->held));
}

void holding_look(struct path *path)
{
    const struct tunnel *tunnel = approach_tunnel(path->held);
    if (path->phase == THROUGH)
        holding_take_back(path);
    else if (path->held_over || !tunnel)
        end_held(path);
    else if (!tunnel_is_paused(tunnel) && !tunnel_is_silent(tunnel) && !path->rerouted)
        holding_take_back(path);
}

// The attempt that has failed was to go on with what is held, and the gate has refused that.
bool holding_is_refused(const struct path *path)
{
    return rounds_goes_on(path, path->gate) && path->approach && approach_is_untrusted(path->approach);
}
