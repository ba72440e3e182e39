// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/channel/channel.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Room for the descriptors of one message, aligned as the kernel wants it.
union fds_room {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};

static bool send_bytes(int fd, struct iovec *iov, const int *fds, size_t count, int flags)
{
    union fds_room control = {0};
    struct msghdr header = {.msg_iov = iov, .msg_iovlen = 1};
    if (count) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof *fds)};
        memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    }
    return sendmsg(fd, &header, MSG_NOSIGNAL | flags) == (ssize_t)iov->iov_len;
}

// The room for a message is no part of the stack, which would keep it.
static bool send_with(int fd, const struct channel_message *message, const int *fds, size_t count, int flags)
{
    uint8_t *room = memory_resize(NULL, CHANNEL_BYTES_MAX);
    struct iovec iov = {.iov_base = room, .iov_len = channel_encode(message, room, CHANNEL_BYTES_MAX)};
    bool fits = iov.iov_len && count <= CHANNEL_FDS_MAX;
    bool sent = fits && send_bytes(fd, &iov, fds, count, flags);
    int error = fits ? errno : EMSGSIZE;
    free(room);
    errno = error;
    return sent;
}

bool channel_send_fds(int fd, const struct channel_message *message, const int *fds, size_t count)
{
    return send_with(fd, message, fds, count, 0);
}

bool channel_try_send(int fd, const struct channel_message *message)
{
    return send_with(fd, message, NULL, 0, MSG_DONTWAIT);
}

bool channel_send(int fd, const struct channel_message *message)
{
    return channel_send_fds(fd, message, NULL, 0);
}

// What a receiving call brought: `len` bytes, -1 with errno.
static enum channel_result take(struct channel_message *out, const uint8_t *room, ssize_t len)
{
    if (len < 0)
        return errno == EAGAIN ? CHANNEL_EMPTY : CHANNEL_CLOSED;
    if (len == 0)
        return CHANNEL_CLOSED;
    return len <= CHANNEL_BYTES_MAX && channel_decode(out, room, (size_t)len) ? CHANNEL_TAKEN : CHANNEL_BROKEN;
}

enum channel_result channel_receive(int fd, struct channel_message *out)
{
    uint8_t *room = memory_resize(NULL, CHANNEL_BYTES_MAX);
    ssize_t len;
    do
        len = recv(fd, room, CHANNEL_BYTES_MAX, MSG_TRUNC);
    while (len < 0 && errno == EINTR);
    enum channel_result result = take(out, room, len);
    free(room);
    return result;
}

static size_t get_fds(struct msghdr *header, int fds[CHANNEL_FDS_MAX])
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(header);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t size = c->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(c), size);
    return size / sizeof *fds;
}

enum channel_result channel_receive_fds(int fd, struct channel_message *out, int fds[CHANNEL_FDS_MAX], size_t *count)
{
    uint8_t *room = memory_resize(NULL, CHANNEL_BYTES_MAX);
    union fds_room control;
    struct iovec iov = {.iov_base = room, .iov_len = CHANNEL_BYTES_MAX};
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t len;
    do
        len = recvmsg(fd, &header, MSG_TRUNC | MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    *count = len > 0 ? get_fds(&header, fds) : 0;
    enum channel_result result = take(out, room, len);
    free(room);
    for (; result != CHANNEL_TAKEN && *count > 0; --*count)
        close(fds[*count - 1]);
    return result;
}
