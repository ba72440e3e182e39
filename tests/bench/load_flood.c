// SPDX-License-Identifier: GPL-2.0-or-later
// Connections that say so much and then nothing, at a pace, from many addresses in turn; and a server that takes connections
// and ends them at once, which costs what the kernel costs. One process and no more than a few system calls each, so that what a
// flood takes from others is not the flooder's own work.
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HELD_MAX = 4096, WORDS_MAX = 4096, EVENTS = 256, BACKLOG = 1024, TURN_US = 2000 };

struct flood {
    const struct target *target;
    struct sources sources;
    char words[WORDS_MAX]; // what each says
    size_t words_len;
    int epoll;
    int open[HELD_MAX]; // a ring; the oldest gives way
    unsigned long begun, connected, refused, ended;
};

static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

// Without a TIME_WAIT, or a flood of minutes runs out of ports.
static void drop(int fd)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
}

static void begin(struct flood *flood)
{
    int *place = &flood->open[flood->begun++ % HELD_MAX];
    if (*place >= 0)
        drop(*place);
    *place = open_socket(flood->target, SOCK_STREAM | SOCK_NONBLOCK);
    sources_bind(&flood->sources, *place);
    if (connect(*place, (const struct sockaddr *)&flood->target->addr, flood->target->len) != 0 && errno != EINPROGRESS)
        fail("connect");
    struct epoll_event event = {.events = EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = place};
    epoll_ctl(flood->epoll, EPOLL_CTL_ADD, *place, &event);
}

static void speak(struct flood *flood, int *place, uint32_t events)
{
    if (*place < 0)
        return;
    if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
        flood->refused += (events & EPOLLERR) != 0;
        flood->ended++;
        drop(*place);
        *place = -1;
        return;
    }
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = place};
    epoll_ctl(flood->epoll, EPOLL_CTL_MOD, *place, &event);
    flood->connected++;
    send(*place, flood->words, flood->words_len, MSG_NOSIGNAL);
}

static void read_words(struct flood *flood, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail("%s", path);
    flood->words_len = fread(flood->words, 1, sizeof(flood->words), file);
    fclose(file);
}

static volatile sig_atomic_t told_to_end;

static void end_soon(int number)
{
    (void)number;
    told_to_end = 1;
}

void run_flood(const struct target *target, char **args)
{
    static struct flood flood;
    double rate = atof(args[0]), started = now_seconds(), now = started;
    signal(SIGTERM, end_soon);
    flood.target = target;
    flood.epoll = epoll_create1(EPOLL_CLOEXEC);
    read_words(&flood, args[1]);
    sources_parse(&flood.sources, args[2]);
    for (int i = 0; i < HELD_MAX; i++)
        flood.open[i] = -1;
    puts("flooding");
    fflush(stdout);
    while (!told_to_end) {
        now = now_seconds();
        struct epoll_event events[EVENTS];
        while ((double)flood.begun < (now - started) * rate)
            begin(&flood);
        int ready = epoll_wait(flood.epoll, events, EVENTS, 0);
        for (int i = 0; i < ready; i++)
            speak(&flood, events[i].data.ptr, events[i].events);
        if (ready < EVENTS)
            usleep(TURN_US);
    }
    printf("per_second=%.0f connected=%lu ended=%lu of_those_reset=%lu cpu=%.3f\n",
           (double)flood.begun / (now - started), flood.connected, flood.ended, flood.refused,
           cpu_seconds() / (now - started));
}

void run_sink(const struct target *target, char **args)
{
    int one = 1, fd, listener = open_socket(target, SOCK_STREAM);
    (void)args;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (const struct sockaddr *)&target->addr, target->len) != 0 || listen(listener, BACKLOG) != 0)
        fail("listen");
    puts("sinking");
    fflush(stdout);
    while ((fd = accept(listener, NULL, NULL)) >= 0)
        drop(fd);
    fail("accept");
}
