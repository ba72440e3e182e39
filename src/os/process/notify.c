// SPDX-License-Identifier: GPL-2.0-or-later
// A service manager that cannot be reached is no reason to fail, so nothing here has a result. A worker never calls
// this: its sandbox has no AF_UNIX sockets, and the supervisor speaks for the service.
//
// One datagram to a socket that the environment names is all of the protocol (sd_notify(3)). libsystemd would bring four
// compressors and a cipher library along, which every worker of a gate would map and relocate: 100 KiB and a millisecond.
#include "os/process/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// False when nobody waits for a word. A name that begins with @ is in the abstract namespace.
static bool find_manager(struct sockaddr_un *at, socklen_t *len)
{
    const char *place = getenv("NOTIFY_SOCKET");
    size_t used = place ? strlen(place) : 0;
    if (used < 2 || used >= sizeof at->sun_path || (*place != '/' && *place != '@'))
        return false;
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(at->sun_path, place, used);
    if (*place == '@')
        at->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + used);
    return true;
}

static void tell(const char *state)
{
    struct sockaddr_un at;
    socklen_t len;
    if (!find_manager(&at, &len))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&at, len);
    close(fd);
}

// A positive number, all of it, in decimal; else 0.
static unsigned long long number_of(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return *end || errno ? 0 : number;
}

usec_t notify_alive_interval(void)
{
    unsigned long long allowed_usec = number_of("WATCHDOG_USEC"), pid = number_of("WATCHDOG_PID");
    bool ours = !getenv("WATCHDOG_PID") || pid == (unsigned long long)getpid();
    return allowed_usec > 1 && ours ? (usec_t)(allowed_usec / 2) : USEC_NEVER;
}

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
