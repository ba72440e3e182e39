// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lookup.h"

#include "os/clock.h"

#include <string.h>

struct waiting {
    struct lookup *out;
    struct fault *fault;
    bool done;
};

static void resolved(void *owner, const struct resolver_answer *answer)
{
    struct waiting *waiting = owner;
    waiting->done = true;
    waiting->out->count = answer->count;
    memcpy(waiting->out->addrs, answer->addrs, answer->count * sizeof *answer->addrs);
    if (!answer->count)
        fault_set(waiting->fault, "%s", answer->why);
}

bool lookup_name(struct lookup *out, const char *host, const struct resolver_config *config, struct fault *fault)
{
    struct waiting waiting = {out, fault, false};
    uv_loop_t loop;
    usec_t begun = clock_now();
    *out = (struct lookup){0};
    if (uv_loop_init(&loop) < 0)
        return fault_set(fault, "no event loop");
    struct resolver *resolver = resolver_new(&loop, config, fault);
    if (resolver) {
        resolver_lookup(resolver, host, resolved, &waiting);
        while (!waiting.done && uv_run(&loop, UV_RUN_ONCE))
            continue;
        resolver_free(resolver);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    out->took = clock_now() - begun;
    return out->count;
}
