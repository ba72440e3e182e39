// SPDX-License-Identifier: GPL-2.0-or-later
// What a connection shows before anybody answers it (link/tls/client_hello.h): looked at where it lies, so that whoever
// shakes hands finds it untouched.
#ifndef GATE_LOOK_H
#define GATE_LOOK_H

#include "os/poller.h"

struct look;

// `done` comes once, from the loop and never from within this call, and ends it: with the ticket that was shown, or NULL when
// there is none, or after `timeout_ms`. `fd` stays the caller's.
struct look *look_new(uv_loop_t *loop, struct poller *poller, int fd, uint32_t timeout_ms,
                      void (*done)(void *owner, const uint8_t *ticket), void *owner);
// Without a word. NULL is nobody's.
void look_free(struct look *look);

#endif
