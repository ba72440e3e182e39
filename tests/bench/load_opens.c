// SPDX-License-Identifier: GPL-2.0-or-later
// Connections at a pace: each is opened, says a byte, hears it again and is closed in order. One that fails, or takes longer
// than PATIENCE, is counted and costs no other anything. They go to several ports in turn: whoever connects to one has 28,000
// ports of his own for it, keeps each for a minute after closing, and searches long once half of them are taken.
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { VISITS_MAX = 8192, EVENTS = 256, TURN_US = 1000 };
#define PATIENCE 10.0 // seconds

struct visit {
    int fd; // -1: free
    bool asked;
    double begun;
};

struct opens {
    struct target target;
    uint16_t port; // of the target, and so many
    unsigned ports;
    struct sources sources;
    int epoll;
    struct visit visits[VISITS_MAX]; // a ring
    unsigned long begun, done, failed;
    int error; // of the first that failed
    struct samples took;
};

static void finish(struct opens *opens, struct visit *visit, bool well)
{
    if (!well && !opens->error)
        opens->error = errno ? errno : ETIMEDOUT;
    close(visit->fd);
    visit->fd = -1;
    opens->failed += !well;
    opens->done += well;
    if (well)
        samples_add(&opens->took, (now_seconds() - visit->begun) * 1e3);
}

static void wait_for(const struct opens *opens, struct visit *visit, int how, uint32_t what)
{
    struct epoll_event event = {.events = what, .data.ptr = visit};
    epoll_ctl(opens->epoll, how, visit->fd, &event);
}

static void begin(struct opens *opens, double now)
{
    struct visit *visit = &opens->visits[opens->begun++ % VISITS_MAX];
    if (visit->fd >= 0) {
        errno = 0;
        finish(opens, visit, false); // nobody has waited for longer
    }
    target_set_port(&opens->target, (uint16_t)(opens->port + opens->begun % opens->ports));
    *visit = (struct visit){.fd = open_socket(&opens->target, SOCK_STREAM | SOCK_NONBLOCK), .begun = now};
    sources_bind(&opens->sources, visit->fd);
    if (connect(visit->fd, (const struct sockaddr *)&opens->target.addr, opens->target.len) != 0 &&
        errno != EINPROGRESS)
        finish(opens, visit, false);
    else
        wait_for(opens, visit, EPOLL_CTL_ADD, EPOLLOUT);
}

static void go_on(struct opens *opens, struct visit *visit)
{
    char bytes[2] = {'e', 'x'};
    if (visit->fd < 0)
        return;
    errno = 0;
    if (visit->asked) {
        finish(opens, visit, recv(visit->fd, bytes, 1, 0) == 1 && bytes[0] == 'x');
    } else if (send(visit->fd, bytes, 2, MSG_NOSIGNAL) == 2) {
        visit->asked = true;
        wait_for(opens, visit, EPOLL_CTL_MOD, EPOLLIN);
    } else {
        finish(opens, visit, false);
    }
}

static bool turn(struct opens *opens)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(opens->epoll, events, EVENTS, 0);
    for (int i = 0; i < ready; i++)
        go_on(opens, events[i].data.ptr);
    return ready > 0;
}

void run_opens(const struct target *target, char **args)
{
    static struct opens opens;
    double rate = atof(args[1]), started = now_seconds(), end = started + atof(args[2]), now;
    opens.target = *target;
    opens.port = target_port(target);
    opens.ports = (unsigned)atoi(args[0]);
    opens.epoll = epoll_create1(EPOLL_CLOEXEC);
    sources_parse(&opens.sources, args[3]);
    for (int i = 0; i < VISITS_MAX; i++)
        opens.visits[i].fd = -1;
    while ((now = now_seconds()) < end) {
        while ((double)opens.begun < (now - started) * rate)
            begin(&opens, now);
        if (!turn(&opens))
            usleep(TURN_US);
    }
    double took = now - started;
    while (opens.done + opens.failed < opens.begun && now_seconds() < end + PATIENCE)
        if (!turn(&opens))
            usleep(TURN_US);
    if (opens.error)
        fprintf(stderr, "load: the first that failed: %s\n", strerror(opens.error));
    printf("opens_per_second=%.1f opened=%lu failed=%lu open_p50_ms=%.1f open_p99_ms=%.1f\n",
           (double)opens.begun / took, opens.begun, opens.begun - opens.done, samples_percentile(&opens.took, 50),
           samples_percentile(&opens.took, 99));
}
