// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/flows.h"

#include "base/memory.h"
#include "cli/runtime.h"
#include "console/ask.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 32, FRESH_S = 2 };

struct waiter {
    char path[RUNTIME_PATH_SIZE];
    ask_done *done;
    void *owner;
};

struct flows {
    uv_loop_t *loop;
    struct ask *asking;           // for `path`
    char path[RUNTIME_PATH_SIZE]; // whose `answer` is
    const struct told *answer;    // the last one, NULL: none
    usec_t at;
    struct waiter waiting[WAITING_MAX];
    size_t count;
};

static void tell(struct flows *flows, const struct fault *why);

static void answered(void *owner, const struct told *answer, const struct fault *why)
{
    struct flows *flows = owner;
    flows->asking = NULL;
    told_free(flows->answer);
    flows->answer = answer;
    flows->at = clock_now();
    tell(flows, why);
}

static void ask_for(struct flows *flows, const char *path)
{
    if (path != flows->path)
        snprintf(flows->path, sizeof flows->path, "%.*s", RUNTIME_PATH_SIZE - 1, path);
    flows->asking = ask_start(flows->loop, path, "flows", answered, flows);
}

// Who waits for these; the next question is for the first of the others.
static void tell(struct flows *flows, const struct fault *why)
{
    struct waiter waiting[WAITING_MAX];
    size_t count = flows->count;
    memcpy(waiting, flows->waiting, count * sizeof *waiting);
    flows->count = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(waiting[i].path, flows->path))
            flows->waiting[flows->count++] = waiting[i];
    for (size_t i = 0; i < count; i++)
        if (!strcmp(waiting[i].path, flows->path))
            waiting[i].done(waiting[i].owner, flows->answer, why);
    if (flows->count && !flows->asking)
        ask_for(flows, flows->waiting[0].path);
}

bool flows_ask(struct flows *flows, const char *path, ask_done *done, void *owner)
{
    bool is_fresh = flows->answer && !flows->asking && !strcmp(flows->path, path) &&
                    clock_now() - flows->at < FRESH_S * USEC_PER_SEC;
    if (is_fresh) {
        done(owner, flows->answer, NULL);
        return true;
    }
    if (flows->count == WAITING_MAX)
        return false;
    struct waiter *waiter = &flows->waiting[flows->count++];
    snprintf(waiter->path, sizeof waiter->path, "%.*s", RUNTIME_PATH_SIZE - 1, path);
    waiter->done = done;
    waiter->owner = owner;
    if (!flows->asking)
        ask_for(flows, path);
    return true;
}

struct flows *flows_new(uv_loop_t *loop)
{
    struct flows *flows = memory_new(sizeof *flows);
    flows->loop = loop;
    return flows;
}

void flows_free(struct flows *flows)
{
    if (flows->asking)
        ask_cancel(flows->asking);
    told_free(flows->answer);
    free(flows);
}
