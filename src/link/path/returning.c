// SPDX-License-Identifier: GPL-2.0-or-later
// A whole login each time, since a mere connection shows less than that the gate serves. Only while the tunnel idles.
#include "link/path/internal.h"

#include "base/host_name.h"
#include "os/clock.h"
#include "os/random.h"

#include <stdio.h>

enum { RETURN_MS = 30 * 1000 }; // between two looks for an earlier gate, a quarter more or less

bool returning_may(struct path *path)
{
    struct tunnel *tunnel = path->phase == UP ? approach_tunnel(path->approach) : NULL;
    return tunnel && usher_engine_sessions(tunnel_engine(tunnel)) == 0;
}

// Says goodbye, as far as the socket takes it now: there is nothing before it in a tunnel that idles.
static void retire(struct approach *approach)
{
    tunnel_end(approach_tunnel(approach), "an earlier gate of the list is here again");
    approach_turn(approach, clock_now());
    approach_free(approach);
}

// The earlier gate has taken us in, and what it is to replace has nothing to lose.
void returning_go_back(struct path *path)
{
    char why[PATH_WHY_SIZE], from[HOST_PORT_TEXT_SIZE], to[HOST_PORT_TEXT_SIZE];
    struct approach *old = path->approach;
    const struct path_gate *gates = path->config.gates, *gate = &gates[path->gate],
                           *earlier = &gates[path->earlier_gate];
    snprintf(why, sizeof why, "from gate %.200s to %.200s, which stands before it and is here again",
             host_port_text(from, sizeof from, gate->host, gate->port),
             host_port_text(to, sizeof to, earlier->host, earlier->port));
    path->approach = path->earlier;
    path->gate = path->earlier_gate;
    path->earlier = NULL;
    path->phase = TRYING;
    path->ops->down(path->owner, PATH_LEFT, why);
    retire(old);
}

void returning_stop(struct path *path)
{
    uv_timer_stop(&path->back);
    approach_free(path->earlier);
    path->earlier = NULL;
    path->earlier_over = false;
    path->move_due |= path->moving; // once there is a tunnel again that is the same
    path->moving = false;
}

static void try_earlier(struct path *path, size_t gate)
{
    path->earlier_over = false;
    path->earlier_gate = gate;
    path->earlier = gate < path->gate ? rounds_approach_to(path, gate) : NULL;
}

static void on_back(uv_timer_t *timer);

void returning_schedule(struct path *path)
{
    uint32_t spread = random_number() % (RETURN_MS / 2);
    if (path->gate > 0)
        uv_timer_start(&path->back, on_back, RETURN_MS * 3 / 4 + spread, 0);
    else
        uv_timer_stop(&path->back);
}

// A whole login, for less does not show that the gate serves; so only while nothing is open that would have to stay.
static void on_back(uv_timer_t *timer)
{
    struct path *path = timer->data;
    if (!path->earlier && !path->stopping && returning_may(path))
        try_earlier(path, 0);
    returning_schedule(path);
}

void returning_end(struct path *path)
{
    bool was_up = approach_was_up(path->earlier) && approach_tunnel(path->earlier);
    if (was_up)
        retire(path->earlier);
    else
        approach_free(path->earlier);
    path->earlier = NULL;
    if (returning_may(path) && !path->stopping && !was_up)
        try_earlier(path, path->earlier_gate + 1);
    path->earlier_over = false;
}
