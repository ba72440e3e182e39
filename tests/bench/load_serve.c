// SPDX-License-Identifier: GPL-2.0-or-later
// The server of the benchmark: one thread, one epoll set, no allocation per connection beyond its slot.
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SLOTS = 200000, EVENTS = 256, BACKLOG = 16384 };

static char modes[SLOTS]; // by descriptor; 0 before the first byte
static char room[BULK_PIECE];

static void watch(int epoll, int fd, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, how, fd, &event) != 0)
        fail("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        modes[fd] = 0;
        watch(epoll, fd, EPOLLIN, EPOLL_CTL_ADD);
    }
}

// False when the connection is over.
static int handle(int epoll, int fd)
{
    if (modes[fd] == 'g')
        return write(fd, room, sizeof(room)) >= 0 || errno == EAGAIN;
    ssize_t got = read(fd, room, sizeof(room));
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    char *bytes = room;
    if (modes[fd] == 0) {
        modes[fd] = *bytes++;
        got--;
        if (modes[fd] == 'g')
            watch(epoll, fd, EPOLLOUT, EPOLL_CTL_MOD);
    }
    if (modes[fd] == 'e' && got > 0)
        return write(fd, bytes, (size_t)got) == got; // echoes are small: a full socket buffer means a broken client
    return 1;
}

static void echo_datagrams(int fd)
{
    for (int i = 0; i < EVENTS; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        ssize_t got = recvfrom(fd, room, sizeof(room), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
        if (got < 0)
            return;
        sendto(fd, room, (size_t)got, MSG_DONTWAIT, (struct sockaddr *)&from, len);
    }
}

void run_serve(const struct target *target, char **args)
{
    (void)args;
    signal(SIGPIPE, SIG_IGN); // a client that leaves is an error of that connection
    int one = 1, buffer = 4 * 1024 * 1024, epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = open_socket(target, SOCK_STREAM | SOCK_NONBLOCK), udp = open_socket(target, SOCK_DGRAM);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
    if (bind(listener, (const struct sockaddr *)&target->addr, target->len) != 0 || listen(listener, BACKLOG) != 0 ||
        bind(udp, (const struct sockaddr *)&target->addr, target->len) != 0)
        fail("listen");
    watch(epoll, listener, EPOLLIN, EPOLL_CTL_ADD);
    watch(epoll, udp, EPOLLIN, EPOLL_CTL_ADD);
    puts("serving");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(epoll, fd);
            else if (fd == udp)
                echo_datagrams(fd);
            else if (!handle(epoll, fd))
                close(fd);
        }
    }
}
