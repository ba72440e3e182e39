// SPDX-License-Identifier: GPL-2.0-or-later
// What cannot listen now is tried again: an address may come back, and another program may end.
#include "gate/handout.h"

#include "base/memory.h"
#include "cli/forwards.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RETRY_MS = 2000 };

struct handout {
    uv_timer_t retry;
    const struct access *access;
    const struct list *children;
    struct exports *exports; // NULL: none
    bool *told;              // for each of access->portals: that something of it cannot be had
};

// The worker that has what is that portal's, or else the latest that may have it.
static struct child *find(const struct handout *handout, const char *name)
{
    struct child *latest = NULL;
    list_for_each(node, handout->children) {
        struct child *child = container_of(node, struct child, node);
        if (!child->up || strcasecmp(child->name, name))
            continue;
        if (child->listens || child->captures)
            return child;
        if (!child->ending)
            latest = child;
    }
    return latest;
}

static void hand(struct child *child, const int *fds, size_t count)
{
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_FORWARDS;
    for (size_t done = 0; done < count; done += CHANNEL_FDS_MAX) {
        size_t some = count - done < CHANNEL_FDS_MAX ? count - done : CHANNEL_FDS_MAX;
        message->forwards.first = (uint32_t)done;
        child_hand(child, message, fds + done, some);
    }
    free(message);
    child->listens = true;
}

static bool serve(struct child *child, const struct value_forwards *forwards, struct fault *fault)
{
    size_t count = value_forwards_ports(forwards);
    int *fds = memory_new(count * sizeof *fds);
    bool ok = forwards_listen(forwards, fds, fault);
    if (ok) {
        hand(child, fds, count);
        forwards_close(fds, count);
    }
    free(fds);
    return ok;
}

static bool export(struct exports *exports, size_t index, struct child *child, struct fault *fault)
{
    const struct tun *tun = exports_open(exports, index, fault);
    if (!tun)
        return false;
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_EXPORT;
    memcpy(message->export.device, tun->name, sizeof message->export.device);
    message->export.index = tun->index;
    message->export.offload = tun->offload;
    message->export.uso = tun->uso;
    child_hand(child, message, &tun->fd, 1);
    free(message);
    child->captures = true;
    return true;
}

static void look(uv_timer_t *timer)
{
    handout_look(timer->data);
}

// False with a fault when something cannot be had now.
static bool hand_out(struct handout *handout, size_t index, struct child *child, struct fault *fault)
{
    const struct access_portal *portal = &handout->access->portals[index];
    bool ok = true;
    if (portal->forwards.count && !child->listens)
        ok = serve(child, &portal->forwards, fault);
    if (portal->exports.count && handout->exports && !child->captures)
        ok &= export(handout->exports, index, child, fault);
    return ok;
}

void handout_look(struct handout *handout)
{
    struct fault fault;
    for (size_t i = 0; i < handout->access->portal_count; i++) {
        const struct access_portal *portal = &handout->access->portals[i];
        struct child *child = find(handout, portal->name);
        if (handout->exports && (!child || !child->captures))
            exports_gone(handout->exports, i);
        if (!child)
            continue;
        bool ok = hand_out(handout, i, child, &fault);
        if (!ok && !handout->told[i])
            log_error("%s: not all that leads to it is served until this can be done: %s", portal->name, fault.text);
        handout->told[i] = !ok;
        if (!ok)
            uv_timer_start(&handout->retry, look, RETRY_MS, 0);
    }
}

// A worker whose device cannot be made again ends; the next login gets a new one.
static void device_deleted(void *owner, size_t index, bool is_back)
{
    static const struct channel_message back = {.type = CHANNEL_EXPORT_BACK};
    struct handout *handout = owner;
    struct child *child = find(handout, handout->access->portals[index].name);
    if (!child || !child->captures)
        return;
    if (is_back)
        child_tell(child, &back);
    else
        child_end(child, "the device of its exports is gone");
}

void handout_repair(struct handout *handout)
{
    if (handout->exports)
        exports_repair(handout->exports, device_deleted, handout);
}

bool handout_try(const struct access *access, struct fault *fault, unsigned *line)
{
    for (size_t i = 0; i < access->portal_count; i++) {
        const struct value_forwards *forwards = &access->portals[i].forwards;
        for (size_t n = 0; n < value_forwards_ports(forwards); n++) {
            const struct value_forward port = value_forwards_port(forwards, n);
            int fd = forwards_socket(&port, fault);
            if (fd < 0) {
                if (line)
                    *line = port.line;
                return false;
            }
            close(fd);
        }
    }
    return true;
}

static void closed(uv_handle_t *handle)
{
    struct handout *handout = handle->data;
    free(handout->told);
    free(handout);
}

struct handout *handout_new(uv_loop_t *loop, const struct access *access, const struct list *children)
{
    struct handout *handout = memory_new(sizeof *handout);
    handout->access = access;
    handout->children = children;
    handout->told = memory_new((access->portal_count + 1) * sizeof *handout->told);
    uv_timer_init(loop, &handout->retry);
    handout->retry.data = handout;
    return handout;
}

void handout_set_exports(struct handout *handout, struct exports *exports)
{
    handout->exports = exports;
}

void handout_free(struct handout *handout)
{
    if (handout)
        uv_close((uv_handle_t *)&handout->retry, closed);
}
