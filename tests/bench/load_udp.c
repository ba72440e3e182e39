// SPDX-License-Identifier: GPL-2.0-or-later
// The UDP client: keeps a window of 64-byte echoes on the way; a lost one is given up after a quarter of a second.
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { DATAGRAM = 64, PATIENCE_MS = 250 };

void run_udp(const struct target *target, char **args)
{
    int window = atoi(args[0]), flying = 0, fd = open_socket(target, SOCK_DGRAM);
    char bytes[DATAGRAM] = {0};
    unsigned long count = 0, lost = 0;
    if (connect(fd, (const struct sockaddr *)&target->addr, target->len) != 0)
        fail("connect");
    double begin = now_seconds(), end = begin + atof(args[1]);
    while (now_seconds() < end) {
        for (; flying < window; flying++)
            send(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        if (poll(&pollfd, 1, PATIENCE_MS) == 0) {
            lost += (unsigned long)flying;
            flying = 0;
        }
        while (flying > 0 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) == DATAGRAM) {
            flying--;
            count++;
        }
    }
    printf("per_second=%.1f lost=%lu\n", (double)count / (now_seconds() - begin), lost);
}
