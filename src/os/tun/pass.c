// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/tun/pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union descriptor { // as cmsg(3) wants it aligned
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

bool tun_send(int socket, const struct tun *tun, struct fault *fault)
{
    union descriptor room = {0};
    struct iovec part = {(void *)tun, sizeof *tun};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(head), &tun->fd, sizeof tun->fd);
    ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    return sent == (ssize_t)sizeof *tun || fault_errno(fault, errno, "tun %s: hand it over", tun->name);
}

bool tun_receive(int socket, struct tun *out)
{
    union descriptor room = {0};
    struct iovec part = {out, sizeof *out};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes};
    ssize_t got;
    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    struct cmsghdr *head = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    out->fd = -1;
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        memcpy(&out->fd, CMSG_DATA(head), sizeof out->fd);
    out->name[sizeof out->name - 1] = '\0';
    if (got == (ssize_t)sizeof *out && out->fd >= 0)
        return true;
    if (out->fd >= 0)
        close(out->fd);
    out->fd = -1;
    return false;
}
