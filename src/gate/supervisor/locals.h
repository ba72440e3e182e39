// SPDX-License-Identifier: GPL-2.0-or-later
// The addresses and prefixes of the gate's own host, which no rule means unless it names them: every worker is told them, at
// its start and whenever they change.
#ifndef GATE_SUPERVISOR_LOCALS_H
#define GATE_SUPERVISOR_LOCALS_H

#include "base/fault.h"
#include "base/list.h"
#include "gate/channel/message.h"
#include "os/netlink/netlink.h"

#include <uv.h>

struct locals_config {
    uv_loop_t *loop;
    struct netlink *nl;
    const struct list *children;   // who is told
    void (*rerouted)(void *owner); // links, routes or rules are others now
    void *owner;
};

struct locals;

// NULL with a fault.
struct locals *locals_new(const struct locals_config *config, struct fault *fault);
// Some memory goes when the loop runs next.
void locals_free(struct locals *locals);
// A CHANNEL_LOCALS.
const struct channel_message *locals_message(const struct locals *locals);

#endif
