// SPDX-License-Identifier: GPL-2.0-or-later
// Every gate once, in the order of the list, then a wait. What comes up first has everything that is new.
#include "link/path/internal.h"

#include "base/host_name.h"
#include "os/clock.h"
#include "os/random.h"

#include <stdio.h>

static void try_gate(struct path *path, size_t gate)
{
    path->earlier_over = false;
    path->earlier_gate = gate;
    path->earlier = rounds_approach_to(path, gate);
}

static void on_time(uv_timer_t *timer)
{
    struct path *path = timer->data;
    if (path->moving && !path->earlier && !path->stopping)
        try_gate(path, 0);
}

// A tunnel that is to be left as soon as it is there must not make us run round in circles.
void moving_begin(struct path *path, usec_t now)
{
    bool was_stable = now - path->up_at >= BACKOFF_STABLE_USEC;
    path->move_due = false;
    if (path->stopping || path->moving)
        return;
    returning_stop(path);
    path->moving = true;
    if (was_stable)
        backoff_reset(&path->backoff);
    uint64_t wait = was_stable ? 0 : backoff_next(&path->backoff, random_number()) / USEC_PER_MSEC;
    uv_timer_start(&path->back, on_time, wait, 0);
}

void moving_on(struct path *path)
{
    char why[PATH_WHY_SIZE], from[HOST_PORT_TEXT_SIZE], to[HOST_PORT_TEXT_SIZE];
    const struct path_gate *gates = path->config.gates, *gate = &gates[path->gate], *next = &gates[path->earlier_gate];
    host_port_text(from, sizeof from, gate->host, gate->port);
    snprintf(why, sizeof why, "from gate %.200s to another at %.200s, %s: what is open stays", from,
             host_port_text(to, sizeof to, next->host, next->port), path->move_why);
    leaving_add(&path->leaving, path->approach, from);
    path->approach = path->earlier;
    path->gate = path->earlier_gate;
    path->earlier = NULL;
    path->moving = false;
    path->phase = TRYING;
    path->ops->down(path->owner, PATH_MOVED, why);
}

void moving_end(struct path *path)
{
    approach_free(path->earlier);
    path->earlier = NULL;
    path->earlier_over = false;
    if (path->stopping)
        return;
    if (path->earlier_gate + 1 < path->config.gate_count)
        try_gate(path, path->earlier_gate + 1);
    else
        uv_timer_start(&path->back, on_time, backoff_next(&path->backoff, random_number()) / USEC_PER_MSEC, 0);
}
