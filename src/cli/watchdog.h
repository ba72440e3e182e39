// SPDX-License-Identifier: GPL-2.0-or-later
// Tells the service manager that the loop still turns, as often as it wants to hear so.
#ifndef CLI_WATCHDOG_H
#define CLI_WATCHDOG_H

#include <uv.h>

struct watchdog;

// NULL when nobody wants to hear.
struct watchdog *watchdog_new(uv_loop_t *loop);
void watchdog_free(struct watchdog *watchdog);

#endif
