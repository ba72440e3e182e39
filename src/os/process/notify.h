// SPDX-License-Identifier: GPL-2.0-or-later
// Word to the service manager (sd_notify(3)): ready, how it goes, still alive, going down. Without a service manager
// every call does nothing.
#ifndef OS_PROCESS_NOTIFY_H
#define OS_PROCESS_NOTIFY_H

#include "base/clock.h"

// Start-up is complete.
void notify_ready(void);
// One line for `systemctl status`. Text from a peer goes through text_escape first.
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_stopping(void);

// How often notify_alive is expected: half of what the service manager allows (WatchdogSec), or USEC_NEVER.
usec_t notify_alive_interval(void);
void notify_alive(void);

#endif
