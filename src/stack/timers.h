// SPDX-License-Identifier: GPL-2.0-or-later
// Everything that happens by time alone.
#ifndef STACK_TIMERS_H
#define STACK_TIMERS_H

#include "stack/core.h"

enum {
    // We are the near end of a link of one hop that loses nothing: TIME_WAIT only has to answer a FIN sent again.
    TIME_WAIT_KEPT = 1,      // seconds
    KEEPALIVE_IDLE = 7200,   // seconds; these three are those of Linux: net.ipv4.tcp_keepalive_*
    KEEPALIVE_INTERVAL = 75, // seconds
    KEEPALIVE_PROBES = 9,
};

void timers_run(struct stack *stack);
usec_t timers_deadline(const struct stack *stack);

#endif
