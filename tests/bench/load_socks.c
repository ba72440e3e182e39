// SPDX-License-Identifier: GPL-2.0-or-later
// CONNECT through a SOCKS5 server (RFC 1928) without authentication, in three steps, so that the modes which wait in an
// epoll set take them as they take everything else. Messages are small and nothing follows them unasked: each arrives whole.
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { VERSION = 5, NO_AUTHENTICATION = 0, CONNECT = 1, IPV4 = 1, IPV6 = 4, SUCCEEDED = 0 };
enum { ANSWER_MIN = 10, MESSAGE_MAX = 22 }; // bytes: with an IPv4 and with an IPv6 address

static void say(int fd, const uint8_t *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        fail("SOCKS: send");
}

void socks_greet(int fd)
{
    static const uint8_t greeting[] = {VERSION, 1, NO_AUTHENTICATION};
    say(fd, greeting, sizeof greeting);
}

void socks_ask(int fd, const struct target *target)
{
    uint8_t chosen[2], request[MESSAGE_MAX] = {VERSION, CONNECT};
    errno = EPROTO;
    if (recv(fd, chosen, sizeof chosen, 0) != sizeof chosen || chosen[0] != VERSION || chosen[1] != NO_AUTHENTICATION)
        fail("SOCKS: greeting");
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&target->addr;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&target->addr;
    bool is_v6 = target->addr.ss_family == AF_INET6;
    size_t len = is_v6 ? sizeof v6->sin6_addr : sizeof v4->sin_addr;
    request[3] = is_v6 ? IPV6 : IPV4;
    memcpy(request + 4, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, len);
    memcpy(request + 4 + len, is_v6 ? &v6->sin6_port : &v4->sin_port, sizeof v4->sin_port);
    say(fd, request, 4 + len + sizeof v4->sin_port);
}

void socks_take_answer(int fd)
{
    uint8_t answer[MESSAGE_MAX];
    errno = EPROTO;
    ssize_t len = recv(fd, answer, sizeof answer, 0);
    if (len < ANSWER_MIN || answer[0] != VERSION || answer[1] != SUCCEEDED)
        fail("SOCKS: answer %d", len > 1 ? answer[1] : -1);
}
