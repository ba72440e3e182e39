// SPDX-License-Identifier: GPL-2.0-or-later
// The process that workers are forked from (gate/worker/template.h), as the supervisor sees it: started when it is needed, and
// anew when it is gone.
#ifndef GATE_SUPERVISOR_TEMPLATE_H
#define GATE_SUPERVISOR_TEMPLATE_H

#include "base/fault.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct template;

struct template *template_new(uv_loop_t *loop);
// Makes it ready; not doing so costs the first connection some milliseconds. What fails here is told by template_fork.
void template_start(struct template *template);
// A worker, which is our own child, with copies of these descriptors: WORKER_SOCKET_FD and those that follow. 0 with a fault.
pid_t template_fork(struct template *template, const int *fds, struct fault *fault);
// Ends it; the next worker is made from another one, with other addresses and other canaries.
void template_end(struct template *template);
// The loop must run once more.
void template_free(struct template *template);

#endif
