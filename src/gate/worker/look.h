// SPDX-License-Identifier: GPL-2.0-or-later
// What a connection shows before anybody answers it (link/tls/client_hello.h): looked at where it lies, so that whoever
// shakes hands finds it untouched.
#ifndef GATE_WORKER_LOOK_H
#define GATE_WORKER_LOOK_H

#include "os/socket/poller.h"

struct look;

// The ticket that was shown, or NULL when there is none; `forwarded`: it begins as only a balancer's would (gate/channel/forwarded.h).
typedef void look_done(void *owner, const uint8_t *ticket, bool forwarded);

// `done` comes once, from the loop and never from within this call, and ends it, after `timeout_ms` at the latest. `fd` stays
// the caller's.
struct look *look_new(uv_loop_t *loop, struct poller *poller, int fd, uint32_t timeout_ms, look_done *done,
                      void *owner);
// Without a word. NULL is nobody's.
void look_free(struct look *look);

#endif
