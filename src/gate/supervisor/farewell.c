// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/farewell.h"

#include "gate/supervisor/internal.h"
#include "os/process/notify.h"

#include <stdlib.h>

enum { FAREWELL_MS = 3000 }; // workers need 1 s at most to end in order; all is over within 5 s

void farewell_stop_listening(struct supervisor *supervisor)
{
    for (size_t i = 0; supervisor->listeners && i < supervisor->conf->listen.count; i++)
        listener_free(supervisor->listeners[i]);
    free(supervisor->listeners);
    supervisor->listeners = NULL;
    arrivals_rest(supervisor->arrivals);
}

static void lost_patience(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    list_for_each(node, &supervisor->children)
        child_kill(container_of(node, struct child, node));
}

void farewell_begin(struct supervisor *supervisor)
{
    if (supervisor->stopping)
        return;
    supervisor->stopping = true;
    notify_stopping();
    farewell_stop_listening(supervisor);
    health_free(supervisor->health);
    supervisor->health = NULL;
    if (!supervisor->child_count)
        uv_stop(&supervisor->loop);
    list_for_each(node, &supervisor->children)
        child_end(container_of(node, struct child, node), "the gate is going down");
    uv_timer_start(&supervisor->farewell, lost_patience, FAREWELL_MS, 0);
}
