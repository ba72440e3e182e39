// SPDX-License-Identifier: GPL-2.0-or-later
// The end of a child process of ours that libuv has not started: of one that an earlier program in this process did.
#ifndef OS_PROCESS_PROCESS_WATCH_H
#define OS_PROCESS_PROCESS_WATCH_H

#include "base/fault.h"

#include <sys/types.h>
#include <uv.h>

struct process_watch;

// It has ended with `code`, or by `signal`, and is no process any more. Once; process_watch_free may be called in it.
typedef void process_ended(void *owner, int code, int signal);

// Needs a kernel of 5.4 or later. NULL with a fault.
struct process_watch *process_watch_new(uv_loop_t *loop, pid_t pid, process_ended *ended, void *owner,
                                        struct fault *fault);
void process_watch_free(struct process_watch *watch);

#endif
