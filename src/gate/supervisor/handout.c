// SPDX-License-Identifier: GPL-2.0-or-later
// What cannot listen now is tried again: an address may come back, and another program may end.
#include "gate/supervisor/handout.h"

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
    int **sockets; // for each of access->portals: those of its forwards, which its worker has, too; NULL: none
    bool *told;    // for each: that something of it cannot be had
};

// Of the workers of that portal: which has its forwards, which the device of its exports, and which is to have what nobody
// has: the latest that may stay, or else the latest that only drains.
struct workers {
    struct child *listens, *captures, *latest;
};

static struct workers find(const struct handout *handout, const char *name)
{
    struct workers found = {0};
    list_for_each(node, handout->children) {
        struct child *child = container_of(node, struct child, node);
        if (!child->up || strcasecmp(child->name, name))
            continue;
        if (child->listens)
            found.listens = child;
        if (child->captures)
            found.captures = child;
        if (!child->ending && (!child->draining || !found.latest || found.latest->draining))
            found.latest = child;
    }
    return found;
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

static void close_sockets(struct handout *handout, size_t index)
{
    if (!handout->sockets[index])
        return;
    forwards_close(handout->sockets[index], value_forwards_ports(&handout->access->portals[index].forwards));
    free(handout->sockets[index]);
    handout->sockets[index] = NULL;
}

static bool open_sockets(struct handout *handout, size_t index, struct fault *fault)
{
    const struct value_forwards *forwards = &handout->access->portals[index].forwards;
    if (handout->sockets[index])
        return true;
    int *fds = memory_new(value_forwards_ports(forwards) * sizeof *fds);
    if (!forwards_listen(forwards, fds, fault)) {
        free(fds);
        return false;
    }
    handout->sockets[index] = fds;
    return true;
}

// The same sockets go from one that is leaving to the next: nobody who connects meanwhile is refused.
static bool serve(struct handout *handout, size_t index, const struct workers *workers, struct fault *fault)
{
    static const struct channel_message over = {.type = CHANNEL_FORWARDS_OVER};
    struct child *from = workers->listens, *to = workers->latest;
    if (from == to || (from && !from->draining && !from->ending))
        return true;
    if (!open_sockets(handout, index, fault))
        return false;
    hand(to, handout->sockets[index], value_forwards_ports(&handout->access->portals[index].forwards));
    if (from)
        child_tell(from, &over);
    if (from)
        from->listens = false;
    return true;
}

// What is captured lives in the worker, so its device stays until that has ended.
static bool export(struct exports *exports, size_t index, const struct workers *workers, struct fault *fault)
{
    if (workers->captures)
        return true;
    const struct tun *tun = exports_open(exports, index, fault);
    if (!tun)
        return false;
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_EXPORT;
    memcpy(message->export.device, tun->name, sizeof message->export.device);
    message->export.index = tun->index;
    message->export.offload = tun->offload;
    message->export.uso = tun->uso;
    child_hand(workers->latest, message, &tun->fd, 1);
    free(message);
    workers->latest->captures = true;
    return true;
}

static void look(uv_timer_t *timer)
{
    handout_look(timer->data);
}

// False with a fault when something cannot be had now.
static bool hand_out(struct handout *handout, size_t index, const struct workers *workers, struct fault *fault)
{
    const struct access_portal *portal = &handout->access->portals[index];
    bool ok = true;
    if (portal->forwards.count)
        ok = serve(handout, index, workers, fault);
    if (portal->exports.count && handout->exports)
        ok &= export(handout->exports, index, workers, fault);
    return ok;
}

void handout_look(struct handout *handout)
{
    struct fault fault;
    for (size_t i = 0; i < handout->access->portal_count; i++) {
        const struct access_portal *portal = &handout->access->portals[i];
        const struct workers workers = find(handout, portal->name);
        if (!workers.listens && !workers.latest)
            close_sockets(handout, i);
        if (handout->exports && !workers.captures && !workers.latest)
            exports_gone(handout->exports, i);
        if (!workers.latest)
            continue;
        bool ok = hand_out(handout, i, &workers, &fault);
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
    struct child *child = find(handout, handout->access->portals[index].name).captures;
    if (!child)
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

struct state_held *handout_save(const struct handout *handout, uint32_t *count)
{
    struct state_held *held = memory_new((handout->access->portal_count + 1) * sizeof *held);
    *count = 0;
    for (size_t i = 0; i < handout->access->portal_count; i++) {
        struct state_held *item = &held[*count];
        const struct tun *tun = handout->exports ? exports_device(handout->exports, i) : NULL;
        *item = (struct state_held){.index = (uint32_t)i};
        if (tun)
            item->tun = *tun;
        if (handout->sockets[i])
            item->count = (uint32_t)value_forwards_ports(&handout->access->portals[i].forwards);
        item->sockets = memory_new((item->count + 1) * sizeof *item->sockets);
        if (item->count)
            memcpy(item->sockets, handout->sockets[i], item->count * sizeof *item->sockets);
        if (item->count || tun)
            ++*count;
        else
            free(item->sockets);
    }
    return held;
}

void handout_load(struct handout *handout, const struct state_held *held, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t index = held[i].index, ports = held[i].count;
        if (!ports || index >= handout->access->portal_count ||
            ports != value_forwards_ports(&handout->access->portals[index].forwards))
            continue;
        handout->sockets[index] = memory_new(ports * sizeof **handout->sockets);
        memcpy(handout->sockets[index], held[i].sockets, ports * sizeof **handout->sockets);
    }
}

size_t handout_descriptors(const struct access *access)
{
    size_t count = 0;
    for (size_t i = 0; i < access->portal_count; i++)
        count += value_forwards_ports(&access->portals[i].forwards) + 1;
    return count;
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
    free(handout->sockets);
    free(handout->told);
    free(handout);
}

struct handout *handout_new(uv_loop_t *loop, const struct access *access, const struct list *children)
{
    struct handout *handout = memory_new(sizeof *handout);
    handout->access = access;
    handout->children = children;
    handout->sockets = memory_new((access->portal_count + 1) * sizeof *handout->sockets);
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
    if (!handout)
        return;
    for (size_t i = 0; i < handout->access->portal_count; i++)
        close_sockets(handout, i);
    uv_close((uv_handle_t *)&handout->retry, closed);
}
