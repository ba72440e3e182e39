// SPDX-License-Identifier: GPL-2.0-or-later
// A node of one's own, in the library's thread: the path to the gate, as a portal has it, and one entrance. What callers
// want is posted there as tasks, and each caller waits on one condition for its own to be done. So whatever happens, a task
// is answered by the thread, and lives on its caller's stack until then.
#include "libusher/way.h"

#include "base/memory.h"
#include "libusher/own_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FAREWELL_MS = 3000 }; // tunnel_end needs 1 s at most

// One open, on the stack of its caller.
struct call {
    struct task begin, give_up;
    struct list node; // in own->calls
    struct own *own;
    struct usher_open to;
    struct handed_flow *flow;
    int fd, error;
    struct fault why;
    bool done;
    bool settled; // the task to give up is done with
};

void own_enter(struct own *own, enum state state, int error, const char *why)
{
    pthread_mutex_lock(&own->lock);
    own->state = state;
    own->error = error;
    if (*why)
        fault_set(&own->why, "%s", why);
    pthread_cond_broadcast(&own->changed);
    pthread_mutex_unlock(&own->lock);
}

// Opens

static void answer(struct call *call, int fd, int error, const char *why)
{
    struct own *own = call->own;
    list_remove(&call->node);
    pthread_mutex_lock(&own->lock);
    call->fd = fd;
    call->error = error;
    fault_set(&call->why, "%s", why);
    call->done = true;
    pthread_cond_broadcast(&own->changed);
    pthread_mutex_unlock(&own->lock);
}

// Unreachable is said of a host; without a tunnel nobody can know, and what counts is why there is none.
static void told(void *owner, int fd, int error, const char *why)
{
    struct call *call = owner;
    struct path *path = call->own->path;
    if (fd < 0 && error == EHOSTUNREACH && !path_tunnel(path))
        answer(call, -1, ENETDOWN, *path_why(path) ? path_why(path) : "there is no tunnel");
    else
        answer(call, fd, error, why);
}

static const char closed[] = "the connection to the gate was closed";

static void begin_call(struct task *task, uv_loop_t *loop)
{
    struct call *call = container_of(task, struct call, begin);
    struct own *own = call->own;
    (void)loop;
    if (own->stopping) {
        answer(call, -1, ECANCELED, closed);
        return;
    }
    call->flow = handed_open(own->handed, &call->to, told, call);
    if (call->flow)
        list_push_back(&own->calls, &call->node);
    else
        answer(call, -1, ENOBUFS, "too many flows");
}

static void give_up(struct call *call, int error, const char *why)
{
    handed_give_up(call->flow);
    answer(call, -1, error, why);
}

static void give_up_call(struct task *task, uv_loop_t *loop)
{
    struct call *call = container_of(task, struct call, give_up);
    (void)loop;
    if (list_is_linked(&call->node))
        give_up(call, ETIMEDOUT, "no answer in time");
    pthread_mutex_lock(&call->own->lock);
    call->settled = true;
    pthread_cond_broadcast(&call->own->changed);
    pthread_mutex_unlock(&call->own->lock);
}

// With own->lock. Until the thread has done all that it was asked, for `call` lives on our stack.
static void await_answer(struct call *call, const struct deadline *until)
{
    struct own *own = call->own;
    bool in_time = true;
    while (in_time && !call->done)
        in_time = deadline_wait(until, &own->changed, &own->lock);
    if (call->done)
        return;
    service_post(&call->give_up);
    while (!call->done || !call->settled)
        pthread_cond_wait(&own->changed, &own->lock);
}

static int open_own(struct way *way, const struct usher_open *to, const struct deadline *until, struct fault *why)
{
    struct own *own = (struct own *)way;
    struct call call = {.begin.run = begin_call, .give_up.run = give_up_call, .own = own, .to = *to, .fd = -1};
    list_init(&call.node);
    pthread_mutex_lock(&own->lock);
    own->callers++;
    service_post(&call.begin);
    await_answer(&call, until);
    own->callers--;
    pthread_cond_broadcast(&own->changed);
    pthread_mutex_unlock(&own->lock);
    *why = call.why;
    errno = call.error;
    return call.fd;
}

// The end

static void gone(uv_handle_t *handle)
{
    struct own *own = handle->data;
    tls_identity_free(own->identity);
    if (own->conf)
        portal_conf_free(own->conf);
    own_enter(own, GONE, 0, "");
}

// Handles are closed in the reverse of the order in which closing began, so `timer` is the last.
static void take_apart(uv_timer_t *timer)
{
    struct own *own = timer->data;
    if (uv_is_closing((uv_handle_t *)timer))
        return;
    uv_close((uv_handle_t *)timer, gone);
    if (!own->handed)
        return;
    node_set_link(&own->node, NULL, NULL);
    if (own->path)
        path_free(own->path); // ends the sessions of a tunnel that is still there
    exchange_detach(own->node.exchange);
    node_fini(&own->node);
}

void own_take_apart_soon(struct own *own, uint64_t ms)
{
    uv_timer_start(&own->timer, take_apart, ms, 0);
}

static void end_own(struct task *task, uv_loop_t *loop)
{
    struct own *own = container_of(task, struct own, end);
    (void)loop;
    own->stopping = true;
    list_for_each(node, &own->calls)
        give_up(container_of(node, struct call, node), ECANCELED, closed);
    if (!own->path) {
        own_take_apart_soon(own, 0);
        return;
    }
    if (!own->was_up && *path_why(own->path))
        own_enter(own, own->state, own->error, path_why(own->path));
    own_take_apart_soon(own, FAREWELL_MS);
    path_stop(own->path, "the program has closed it");
    node_wake(&own->node);
}

// Once it is gone nobody else knows of it.
static void await_end(struct own *own)
{
    own->end.run = end_own;
    service_post(&own->end);
    pthread_mutex_lock(&own->lock);
    while (own->state != GONE || own->callers > 0)
        pthread_cond_wait(&own->changed, &own->lock);
    pthread_mutex_unlock(&own->lock);
    service_release();
}

static void destroy(struct own *own)
{
    pthread_cond_destroy(&own->changed);
    pthread_mutex_destroy(&own->lock);
    free(own);
}

static void close_own(struct way *way)
{
    await_end((struct own *)way);
    destroy((struct own *)way);
}

// The beginning

// All mistakes of the file in one text, which is the caller's to free.
static char *load(struct own *own)
{
    const struct asking asking = {.fd = -1, .nobody = true};
    char *report = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&report, &size);
    if (!out)
        return NULL;
    own->conf = portal_conf_load(own->name_or_file, PORTAL_OF_PROGRAM, &asking, &own->identity, NULL, out);
    fclose(out);
    size_t len = report ? strlen(report) : 0;
    if (len > 0 && report[len - 1] == '\n')
        report[len - 1] = '\0';
    return report;
}

static void begin_own(struct task *task, uv_loop_t *loop)
{
    struct own *own = container_of(task, struct own, begin);
    struct fault fault;
    uv_timer_init(loop, &own->timer);
    own->timer.data = own;
    list_init(&own->calls);
    char *report = load(own);
    if (!own->conf)
        own_enter(own, FAILED, EINVAL, report && *report ? report : "the configuration cannot be read");
    else if (!own_begin_path(own, loop, &fault))
        own_enter(own, FAILED, EIO, fault.text);
    free(report);
}

static struct own *new_own(const char *name_or_file)
{
    struct own *own = memory_new(sizeof *own);
    pthread_condattr_t attr;
    own->way = (struct way){.open = open_own, .close = close_own};
    own->name_or_file = name_or_file;
    own->begin.run = begin_own;
    pthread_mutex_init(&own->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&own->changed, &attr);
    pthread_condattr_destroy(&attr);
    return own;
}

// 0, or errno.
static int await_tunnel(struct own *own, const struct deadline *until)
{
    int error = 0;
    pthread_mutex_lock(&own->lock);
    while (own->state == CONNECTING && error == 0)
        error = deadline_wait(until, &own->changed, &own->lock) ? 0 : ETIMEDOUT;
    if (own->state == FAILED)
        error = own->error;
    else if (own->state == UP)
        error = 0;
    pthread_mutex_unlock(&own->lock);
    return error;
}

struct way *own_connect(const char *name_or_file, const struct deadline *until, struct fault *why)
{
    if (!service_hold(why))
        return NULL;
    struct own *own = new_own(name_or_file);
    service_post(&own->begin);
    int error = await_tunnel(own, until);
    if (error == 0)
        return &own->way;
    await_end(own);
    *why = own->why;
    if (!*why->text)
        fault_set(why, "no answer from the gate in time");
    destroy(own);
    errno = error;
    return NULL;
}
