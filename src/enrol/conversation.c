// SPDX-License-Identifier: GPL-2.0-or-later
#include "enrol/conversation.h"

#include "base/memory.h"
#include "os/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { STEP = 64 * 1024 }; // bytes that are made room for at a time: nobody is believed how much he will send

static bool await(int fd, short events, usec_t until)
{
    struct pollfd ready = {.fd = fd, .events = events};
    int n;
    do {
        const usec_t now = clock_now();
        n = poll(&ready, 1, now < until ? (int)((until - now + 999) / 1000) : 0);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0;
}

// Reads until there are `len`.
static bool fill(int fd, struct blob *out, size_t len, usec_t until)
{
    while (out->len < len) {
        size_t room = len - out->len < STEP ? len - out->len : STEP;
        out->bytes = memory_resize(out->bytes, out->len + room + 1);
        ssize_t got = await(fd, POLLIN, until) ? recv(fd, out->bytes + out->len, room, MSG_DONTWAIT) : -1;
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got == 0)
            errno = ECONNRESET;
        if (got <= 0)
            return false;
        out->len += (size_t)got;
    }
    out->bytes[out->len] = '\0';
    return true;
}

bool conversation_hear(int fd, struct blob *out, size_t max, unsigned seconds, struct fault *fault)
{
    const usec_t until = clock_now() + seconds * USEC_PER_SEC;
    struct blob head = {0};
    *out = (struct blob){0};
    bool good = fill(fd, &head, ENROL_LENGTH, until);
    size_t len = good ? enrol_length(head.bytes, max) : 0;
    int error = errno;
    blob_wipe(&head);
    if (!good)
        return fault_errno(fault, error, "nothing was said");
    if (!len)
        return fault_set(fault, "what was said is no message, or too long");
    if (fill(fd, out, len, until))
        return true;
    fault_errno(fault, errno, "a message broke off");
    blob_wipe(out);
    return false;
}

bool conversation_say(int fd, const struct blob *message, unsigned seconds, struct fault *fault)
{
    const usec_t until = clock_now() + seconds * USEC_PER_SEC;
    for (size_t at = 0; at < message->len;) {
        ssize_t put = await(fd, POLLOUT, until)
                          ? send(fd, message->bytes + at, message->len - at, MSG_DONTWAIT | MSG_NOSIGNAL)
                          : -1;
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return fault_errno(fault, errno, "nobody listens");
        if (put > 0)
            at += (size_t)put;
    }
    return true;
}
