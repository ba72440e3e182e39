// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/locals.h"

#include "base/memory.h"
#include "gate/supervisor/child.h"
#include "os/log.h"

#include <stdlib.h>
#include <string.h>

struct locals {
    struct locals_config config;
    uv_poll_t news;
    struct channel_message *message;
};

static bool refresh(struct locals *locals)
{
    struct channel_message *now = memory_new(sizeof *now);
    now->type = CHANNEL_LOCALS;
    now->locals.count = netlink_local_prefixes(locals->config.nl, now->locals.prefixes, CHANNEL_LOCALS_MAX);
    bool changed = !locals->message || memcmp(now, locals->message, sizeof *now) != 0;
    free(locals->message);
    locals->message = now;
    if (changed && now->locals.count == CHANNEL_LOCALS_MAX)
        log_warning("this host has more addresses than the %d that are guarded", CHANNEL_LOCALS_MAX);
    return changed;
}

static void changed(uv_poll_t *poll, int status, int events)
{
    struct locals *locals = poll->data;
    (void)status, (void)events;
    // A prefix that the host answers for as a whole is a route and no address.
    unsigned what = netlink_watch_read(locals->config.nl);
    if (what & (NETLINK_CHANGED_LINK | NETLINK_CHANGED_ROUTE | NETLINK_CHANGED_RULE))
        locals->config.rerouted(locals->config.owner);
    if (!(what & (NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_ROUTE)) || !refresh(locals))
        return;
    list_for_each(node, locals->config.children)
        child_tell(container_of(node, struct child, node), locals->message);
}

struct locals *locals_new(const struct locals_config *config, struct fault *fault)
{
    int fd = netlink_watch(config->nl, fault);
    if (fd < 0)
        return NULL;
    struct locals *locals = memory_new(sizeof *locals);
    locals->config = *config;
    refresh(locals); // after the watch began, so that no change is missed
    uv_poll_init(config->loop, &locals->news, fd);
    locals->news.data = locals;
    uv_poll_start(&locals->news, UV_READABLE, changed);
    return locals;
}

static void closed(uv_handle_t *handle)
{
    struct locals *locals = handle->data;
    free(locals->message);
    free(locals);
}

void locals_free(struct locals *locals)
{
    if (locals)
        uv_close((uv_handle_t *)&locals->news, closed);
}

const struct channel_message *locals_message(const struct locals *locals)
{
    return locals->message;
}
