// SPDX-License-Identifier: GPL-2.0-or-later
// Signals are blocked in the thread, so that none of the program's is handled there and a SIGPIPE is nobody's.
#include "libusher/service.h"

#include "link/tls/tls.h"
#include "os/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

enum { STACK_SIZE = 512 * 1024 }; // bytes; a handshake takes most

static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER; // of what follows; held while the thread begins and ends
static unsigned holders;
static pthread_t thread;
static uv_loop_t loop;
static uv_async_t posted;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of what follows
static struct list tasks = {&tasks, &tasks};
static bool stopping;

static struct list *next_task(bool *stops)
{
    pthread_mutex_lock(&lock);
    struct list *node = list_pop_front(&tasks);
    *stops = stopping;
    pthread_mutex_unlock(&lock);
    return node;
}

static void on_posted(uv_async_t *async)
{
    bool stops;
    for (struct list *node; (node = next_task(&stops));) {
        struct task *task = container_of(node, struct task, node);
        task->run(task, async->loop);
    }
    if (stops)
        uv_close((uv_handle_t *)async, NULL);
}

static void *serve(void *arg)
{
    (void)arg;
    uv_run(&loop, UV_RUN_DEFAULT);
    return NULL;
}

static int start_thread(void)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attr, serve, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return error;
}

static bool start(struct fault *fault)
{
    stopping = false;
    log_set_level(LOG_LEVEL_NONE);
    if (!tls_library_start(fault)) {
        errno = ENOSYS;
        return false;
    }
    int error = -uv_loop_init(&loop);
    if (!error) {
        error = -uv_async_init(&loop, &posted, on_posted);
        if (!error)
            error = start_thread();
        if (error) {
            uv_walk(&loop, (uv_walk_cb)uv_close, NULL);
            uv_run(&loop, UV_RUN_DEFAULT);
            uv_loop_close(&loop);
        }
    }
    if (!error)
        return true;
    fault_errno(fault, error, "the library's thread");
    errno = error;
    return false;
}

bool service_hold(struct fault *fault)
{
    pthread_mutex_lock(&life);
    bool ok = holders > 0 || start(fault);
    holders += ok;
    pthread_mutex_unlock(&life);
    return ok;
}

void service_release(void)
{
    pthread_mutex_lock(&life);
    if (--holders == 0) {
        pthread_mutex_lock(&lock);
        stopping = true;
        uv_async_send(&posted); // with the lock, or the thread might see the one and close what the other sends by
        pthread_mutex_unlock(&lock);
        pthread_join(thread, NULL);
        uv_loop_close(&loop);
    }
    pthread_mutex_unlock(&life);
}

void service_post(struct task *task)
{
    pthread_mutex_lock(&lock);
    list_push_back(&tasks, &task->node);
    uv_async_send(&posted);
    pthread_mutex_unlock(&lock);
}
