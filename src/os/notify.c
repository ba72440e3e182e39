// SPDX-License-Identifier: GPL-2.0-or-later
// A service manager that cannot be reached is no reason to fail, so nothing here has a result. A worker never calls
// this: its sandbox has no AF_UNIX sockets, and the supervisor speaks for the service.
#include "os/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef USHER_SYSTEMD

#include <systemd/sd-daemon.h>

static void tell(const char *state)
{
    sd_notify(0, state);
}

usec_t notify_alive_interval(void)
{
    uint64_t allowed_usec;
    return sd_watchdog_enabled(0, &allowed_usec) > 0 ? allowed_usec / 2 : USEC_NEVER;
}

#else

static void tell(const char *state)
{
    (void)state;
}

usec_t notify_alive_interval(void)
{
    return USEC_NEVER;
}

#endif

void notify_ready(void)
{
    tell("READY=1");
}

void notify_status(const char *format, ...)
{
    char state[256] = "STATUS=";
    const size_t used = strlen(state);
    va_list args;
    va_start(args, format);
    vsnprintf(state + used, sizeof state - used, format, args);
    va_end(args);
    // A newline would begin another assignment.
    for (char *newline; (newline = strchr(state, '\n'));)
        *newline = ' ';
    tell(state);
}

void notify_stopping(void)
{
    tell("STOPPING=1");
}

void notify_alive(void)
{
    tell("WATCHDOG=1");
}
