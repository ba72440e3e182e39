// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/socket/udp.h"

#include "base/memory.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
    MESSAGE_SIZE = 65536, // more than any datagram or batch holds
    PAGE_LARGEST = 65536,
};

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

struct udp_inbox {
    struct mmsghdr headers[UDP_MESSAGES];
    struct iovec parts[UDP_MESSAGES];
    struct sockaddr_storage from[UDP_MESSAGES];
    union control control[UDP_MESSAGES];
    bool used; // since it was trimmed
    uint8_t room[UDP_MESSAGES][MESSAGE_SIZE];
};

struct udp_inbox *udp_inbox_new(void)
{
    struct udp_inbox *inbox = memory_new(sizeof *inbox);
    for (int i = 0; i < UDP_MESSAGES; i++) {
        inbox->parts[i] = (struct iovec){inbox->room[i], MESSAGE_SIZE};
        inbox->headers[i].msg_hdr = (struct msghdr){.msg_name = &inbox->from[i],
                                                    .msg_iov = &inbox->parts[i],
                                                    .msg_iovlen = 1,
                                                    .msg_control = &inbox->control[i]};
    }
    return inbox;
}

// Whole pages within the room, whatever their size.
void udp_inbox_trim(struct udp_inbox *inbox)
{
    uintptr_t from = ((uintptr_t)inbox->room + PAGE_LARGEST - 1) / PAGE_LARGEST * PAGE_LARGEST;
    uintptr_t to = (uintptr_t)(inbox + 1) / PAGE_LARGEST * PAGE_LARGEST;
    if (inbox->used)
        madvise((void *)from, to - from, MADV_DONTNEED);
    inbox->used = false;
}

void udp_inbox_free(struct udp_inbox *inbox)
{
    free(inbox);
}

void udp_set_batches(int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
}

int udp_receive(struct udp_inbox *inbox, int fd, unsigned most)
{
    assert(most <= UDP_MESSAGES);
    for (unsigned i = 0; i < most; i++) {
        inbox->headers[i].msg_hdr.msg_namelen = sizeof inbox->from[i];
        inbox->headers[i].msg_hdr.msg_controllen = sizeof inbox->control[i];
    }
    inbox->used = true;
    return recvmmsg(fd, inbox->headers, most, MSG_DONTWAIT, NULL);
}

// The length of the datagrams in a batch; that of the message when it is none.
static size_t piece_of(struct msghdr *header, size_t len)
{
    int piece = 0;
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    if (c && c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
        memcpy(&piece, CMSG_DATA(c), sizeof piece);
    return piece > 0 ? (size_t)piece : len;
}

struct udp_message udp_message(const struct udp_inbox *inbox, int index)
{
    struct msghdr header = inbox->headers[index].msg_hdr;
    struct udp_message message = {.bytes = inbox->room[index], .len = inbox->headers[index].msg_len};
    message.piece = piece_of(&header, message.len);
    endpoint_from_sockaddr(&message.from, header.msg_name);
    return message;
}

bool udp_send(int fd, const struct endpoint *to, const uint8_t *bytes, size_t len, size_t piece)
{
    struct sockaddr_storage sa;
    union control control = {
        .align = {.cmsg_len = CMSG_LEN(sizeof(uint16_t)), .cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT}};
    struct iovec part = {(void *)bytes, len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (to) {
        header.msg_name = &sa;
        header.msg_namelen = endpoint_to_sockaddr(to, &sa);
    }
    if (piece < len) {
        uint16_t size = (uint16_t)piece;
        memcpy(CMSG_DATA(&control.align), &size, sizeof size);
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof size);
    }
    return sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}
