// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/bequest.h"

#include "base/memory.h"
#include "os/clock.h"

#include <stdio.h>

static void gather_children(const struct list *children, struct gate_state *out)
{
    size_t count = 0;
    list_for_each(node, children)
        count++;
    out->children = memory_new((count + 1) * sizeof *out->children);
    list_for_each(node, children) {
        const struct child *child = container_of(node, struct child, node);
        if (!child->gone && child->channel_fd >= 0)
            child_save(child, &out->children[out->child_count++]);
    }
}

// For portals, as long as they may come; then for balancers.
static void gather_listeners(const struct bequest_parts *parts, struct gate_state *out)
{
    size_t count = parts->listeners ? parts->listener_count : 0;
    out->listeners = memory_new((count + parts->health_count + 1) * sizeof *out->listeners);
    for (size_t i = 0; i < count; i++)
        out->listeners[i] = listener_fd(parts->listeners[i]);
    health_sockets(parts->health, out->listeners + count);
    out->listener_count = (uint32_t)(count + parts->health_count);
}

void bequest_gather(const struct bequest_parts *parts, struct gate_state *out)
{
    *out = (struct gate_state){
        .channel_version = CHANNEL_VERSION,
        .since = (uint64_t)parts->since,
        .retiring = parts->retiring,
        .slot = parts->runtime->slot,
        .lock = parts->runtime->lock,
        .slots = parts->runtime->slots,
        .control = control_fd(parts->control),
        .handover = renewal_handover_fd(parts->renewal),
        .previous = -1,
        .asker = -1,
        .admission = admission_save(parts->admission),
    };
    snprintf(out->name_or_file, sizeof out->name_or_file, "%s", parts->name_or_file);
    gather_listeners(parts, out);
    out->held = handout_save(parts->handout, &out->held_count);
    gather_children(parts->children, out);
}

int bequest_adopt(const struct bequest_parts *parts, const struct gate_state *state, uv_loop_t *loop,
                  const struct child_ops *ops, void *owner, struct fault *fault)
{
    bool strangers = state->channel_version != CHANNEL_VERSION;
    admission_load(parts->admission, &state->admission, clock_now());
    for (uint32_t i = 0; i < state->child_count; i++) {
        const struct state_child *was = &state->children[i];
        struct child *child = child_adopt(loop, was, strangers, ops, owner, fault);
        if (!child)
            return -1;
        child->ticket = admission_adopt(parts->admission, &was->peer.addr, was->up, clock_now());
        admission_owned(child->ticket, child);
        list_push_back(parts->children, &child->node);
        for (uint32_t n = 0; n < was->ticket_count; n++)
            adoption_ticket(parts->adoption, child, was->tickets[n]);
    }
    return (int)state->child_count;
}
