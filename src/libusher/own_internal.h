// SPDX-License-Identifier: GPL-2.0-or-later
// A tunnel of one's own: what callers see of it, and what its thread has.
#ifndef LIBUSHER_OWN_INTERNAL_H
#define LIBUSHER_OWN_INTERNAL_H

#include "config/portal_conf.h"
#include "edge/listen/handed/handed.h"
#include "libusher/service.h"
#include "libusher/way.h"
#include "link/path/path.h"
#include "node/node.h"

#include <pthread.h>

enum state { CONNECTING, UP, FAILED, GONE };

struct own {
    struct way way; // first
    const char *name_or_file;

    pthread_mutex_t lock; // of what follows, with `done` of calls
    pthread_cond_t changed;
    enum state state;
    int error;        // of FAILED
    struct fault why; // of FAILED, or of the last attempt
    unsigned callers; // in open_own

    // The thread's.
    struct portal_conf *conf;
    struct tls_identity *identity;
    struct path_gate gates[VALUE_TARGETS_MAX];
    struct node node;
    struct path *path;
    struct handed *handed;
    struct list calls; // that wait for their answer
    uv_timer_t timer;  // of the end
    bool stopping;
    bool was_up;

    struct task begin, end; // of the one who connects and closes
};

void own_enter(struct own *own, enum state state, int error, const char *why); // "": what was said before holds
// From within the link's turn nothing may be taken apart.
void own_take_apart_soon(struct own *own, uint64_t ms);

// In the thread: the node, its edges and the path to the gate.
bool own_begin_path(struct own *own, uv_loop_t *loop, struct fault *fault);

#endif
