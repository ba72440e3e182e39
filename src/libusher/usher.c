// SPDX-License-Identifier: GPL-2.0-or-later
// What programs call, and why it failed, which each thread has for itself.
#include "libusher/usher.h"

#include "cli/version.h"
#include "edge/listen/place.h"
#include "libusher/way.h"

#include <errno.h>
#include <stdio.h>

// A usher_t is a way that nobody outside sees as one.
static struct way *way_of(usher_t *usher)
{
    return (struct way *)usher;
}

static __thread struct fault last;

_Static_assert(sizeof last.text == USHER_WHY_SIZE, "a sentence fits");

static usher_t *made(struct way *way, char *why, size_t why_size)
{
    int error = errno;
    if (why && why_size > 0)
        snprintf(why, why_size, "%s", way ? "" : last.text);
    errno = error;
    return (usher_t *)way;
}

usher_t *usher_connect(const char *name_or_file, int timeout_ms, char *why, size_t why_size)
{
    const struct deadline until = deadline_in(timeout_ms);
    return made(own_connect(name_or_file, &until, &last), why, why_size);
}

usher_t *usher_attach(const char *name_or_file, int timeout_ms, char *why, size_t why_size)
{
    const struct deadline until = deadline_in(timeout_ms);
    return made(attached_new(name_or_file, &until, &last), why, why_size);
}

static int open_one(usher_t *usher, uint16_t protocol, const char *host, uint16_t port, int timeout_ms)
{
    const struct deadline until = deadline_in(timeout_ms);
    struct usher_open to = {.protocol = protocol};
    char number[8];
    snprintf(number, sizeof number, "%u", port);
    if (place_set(&to, host, number))
        return way_of(usher)->open(way_of(usher), &to, &until, &last);
    fault_set(&last, "that is no host name, no address, or no port");
    errno = EINVAL;
    return -1;
}

int usher_open_tcp(usher_t *usher, const char *host, uint16_t port, int timeout_ms)
{
    return open_one(usher, USHER_TCP, host, port, timeout_ms);
}

int usher_open_udp(usher_t *usher, const char *host, uint16_t port, int timeout_ms)
{
    return open_one(usher, USHER_UDP, host, port, timeout_ms);
}

const char *usher_why(void)
{
    return last.text;
}

void usher_close(usher_t *usher)
{
    if (usher)
        way_of(usher)->close(way_of(usher));
}

const char *usher_version(void)
{
    return version_text;
}
