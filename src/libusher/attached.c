// SPDX-License-Identifier: GPL-2.0-or-later
// Through the control socket of a running portal: a connection for each question, one line, one JSON object, and with it the
// descriptor. Nothing is kept but the socket's path.
#include "libusher/way.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "cli/runtime.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 65536, QUESTION_SIZE = 320 };

struct attached {
    struct way way; // first
    struct sockaddr_un at;
};

static bool fail(struct fault *why, int error, const char *what)
{
    fault_errno(why, error, "%s", what);
    errno = error;
    return false;
}

// The way that a caller waits: nothing here blocks for longer.
static bool await(int fd, short events, const struct deadline *until)
{
    struct pollfd ready = {.fd = fd, .events = events};
    int n;
    do
        n = poll(&ready, 1, deadline_left_ms(until));
    while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0;
}

// While the portal has many that wait, connect(2) says EAGAIN, and nothing tells when it will not.
static int dial(const struct attached *attached, const struct deadline *until, struct fault *why)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail(why, errno, "a socket");
        return -1;
    }
    while (connect(fd, (const struct sockaddr *)&attached->at, sizeof attached->at) < 0) {
        int error = errno;
        if (error == EAGAIN && deadline_left_ms(until) != 0) {
            poll(NULL, 0, 5);
            continue;
        }
        close(fd);
        fail(why, error == EAGAIN ? ETIMEDOUT : error, attached->at.sun_path);
        return -1;
    }
    return fd;
}

static void take_descriptor(struct msghdr *message, int *out)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
            continue;
        if (*out >= 0)
            close(*out);
        memcpy(out, CMSG_DATA(c), sizeof *out);
    }
}

static ssize_t receive(int from, char *room, size_t size, int *fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = room, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n >= 0)
        take_descriptor(&message, fd);
    return n;
}

// The whole answer, as text that is the caller's to free, and what came with it, or -1. NULL with errno.
static char *converse(int to, const char *question, int *fd, const struct deadline *until)
{
    size_t len = strlen(question), used = 0;
    if (send(to, question, len, MSG_NOSIGNAL) != (ssize_t)len)
        return NULL;
    char *answer = memory_new(ANSWER_MAX + 1);
    while (await(to, POLLIN, until)) {
        ssize_t n = receive(to, answer + used, ANSWER_MAX - used, fd);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n == 0 && used > 0)
            return answer;
        if (n <= 0) {
            errno = n == 0 ? ECONNRESET : errno;
            break;
        }
        used += (size_t)n;
        answer[used] = '\0';
    }
    int error = errno;
    free(answer);
    errno = error;
    return NULL;
}

// The answer; NULL with errno.
static json_t *ask(const struct attached *attached, const char *question, int *fd, const struct deadline *until,
                   struct fault *why)
{
    *fd = -1;
    int to = dial(attached, until, why);
    if (to < 0)
        return NULL;
    char *text = converse(to, question, fd, until);
    int error = errno;
    close(to);
    json_t *answer = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (answer)
        return answer;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    fail(why, text ? EPROTO : error, attached->at.sun_path);
    return NULL;
}

static int open_through(struct way *way, const struct usher_open *to, const struct deadline *until, struct fault *why)
{
    char question[QUESTION_SIZE], address[ADDRESS_TEXT_SIZE], place[HOST_PORT_TEXT_SIZE];
    int fd;
    const char *host = to->addr.version ? address_text(&to->addr, address) : to->host;
    snprintf(question, sizeof question, "open %s %s\n", to->protocol == USHER_TCP ? "tcp" : "udp",
             host_port_text(place, sizeof place, host, to->port));
    json_t *answer = ask((struct attached *)way, question, &fd, until, why);
    if (!answer)
        return -1;
    if (fd < 0) {
        const char *error = json_string_value(json_object_get(answer, "error"));
        int number = (int)json_integer_value(json_object_get(answer, "errno"));
        fault_set(why, "%s", error ? error : "the portal has given no reason");
        errno = number > 0 ? number : EPROTO;
    }
    int error = errno;
    json_decref(answer);
    errno = error;
    return fd;
}

static void close_attached(struct way *way)
{
    free(way);
}

static bool find(struct sockaddr_un *at, const char *name_or_file, struct fault *why)
{
    char root[RUNTIME_ROOT_SIZE], name[INSTANCE_NAME_MAX + 1];
    _Static_assert(sizeof at->sun_path >= RUNTIME_PATH_SIZE, "a path fits");
    errno = EINVAL;
    if (!instance_name(name, name_or_file, why) || !runtime_root(root, why))
        return false;
    at->sun_family = AF_UNIX;
    runtime_path(at->sun_path, root, name, "control");
    return true;
}

struct way *attached_new(const char *name_or_file, const struct deadline *until, struct fault *why)
{
    struct attached *attached = memory_new(sizeof *attached);
    int fd;
    attached->way = (struct way){.open = open_through, .close = close_attached};
    json_t *answer = find(&attached->at, name_or_file, why) ? ask(attached, "status\n", &fd, until, why) : NULL;
    if (!answer) {
        int error = errno;
        if (error == ENOENT || error == ECONNREFUSED)
            fault_set(why, "%s is not running", name_or_file);
        free(attached);
        errno = error;
        return NULL;
    }
    json_decref(answer);
    return &attached->way;
}
