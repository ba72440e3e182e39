// SPDX-License-Identifier: GPL-2.0-or-later
// The library's one thread, in which all that stands below it runs: loops, TLS and the rest know nothing of threads. It is
// there while somebody holds it, and what callers want is done in it one after the other.
#ifndef LIBUSHER_SERVICE_H
#define LIBUSHER_SERVICE_H

#include "base/fault.h"
#include "base/list.h"

#include <uv.h>

// Part of what is to be done; on one list at most.
struct task {
    struct list node;
    void (*run)(struct task *task, uv_loop_t *loop);
};

// Starts it if it is not there. False with errno.
bool service_hold(struct fault *fault);
// The last one waits for the end of the thread, with all that is left on the loop. Not from within the thread.
void service_release(void);
// Has it done soon, in the thread. Of somebody who holds it.
void service_post(struct task *task);

#endif
