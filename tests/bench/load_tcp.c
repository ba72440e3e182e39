// SPDX-License-Identifier: GPL-2.0-or-later
// The TCP clients: bulk streams, request and response, connections per second, held flows.
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { STREAMS_MAX = 256, EVENTS = 256, WARM_SECONDS_PERCENT = 20 };

static char piece[BULK_PIECE];

// Moves what it can on one stream; the bytes moved.
static size_t move(int fd, int up)
{
    ssize_t n =
        up ? send(fd, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL) : recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        fail("stream ended");
    return n < 0 ? 0 : (size_t)n;
}

// The first fifth of the time is not counted: windows open in it.
void run_bulk(const struct target *target, char **args)
{
    int up = strcmp(args[0], "up") == 0, streams = atoi(args[1]);
    double seconds = atof(args[2]), total = 0, each[STREAMS_MAX] = {0};
    struct pollfd fds[STREAMS_MAX];
    if (streams < 1 || streams > STREAMS_MAX)
        fail("streams");
    for (int i = 0; i < streams; i++)
        fds[i] = (struct pollfd){.fd = connect_to(target, up ? 's' : 'g'), .events = up ? POLLOUT : POLLIN};
    double begin = now_seconds() + seconds * WARM_SECONDS_PERCENT / 100, end = begin + seconds, now;
    while ((now = now_seconds()) < end) {
        if (poll(fds, (nfds_t)streams, 100) < 0)
            fail("poll");
        for (int i = 0; i < streams; i++) {
            size_t moved = fds[i].revents != 0 ? move(fds[i].fd, up) : 0;
            if (now >= begin)
                each[i] += (double)moved;
        }
    }
    double slowest = each[0];
    for (int i = 0; i < streams; i++) {
        total += each[i];
        slowest = each[i] < slowest ? each[i] : slowest;
    }
    printf("gbits=%.4f bytes=%.0f slowest_share=%.3f\n", total * 8e-9 / seconds, total,
           total > 0 ? slowest * streams / total : 0);
}

void run_rr(const struct target *target, char **args)
{
    int fd = connect_to(target, 'e');
    struct samples samples = {0};
    double end = now_seconds() + atof(args[0]), begin;
    char byte = 'x';
    while ((begin = now_seconds()) < end) {
        if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
            fail("echo");
        samples_add(&samples, (now_seconds() - begin) * 1e6);
    }
    printf("p50_us=%.1f p99_us=%.1f count=%zu\n", samples_percentile(&samples, 50), samples_percentile(&samples, 99),
           samples.count);
}

// A client that closes first keeps each port for a minute of TIME_WAIT: one address has ports for a few seconds only.
void sources_parse(struct sources *sources, char *list)
{
    for (char *text = strtok(list, ","); text != NULL && sources->count < SOURCES_MAX; text = strtok(NULL, ","))
        sources->targets[sources->count++] = parse_target(text, "0");
    if (sources->count == 0)
        fail("no source address");
}

void sources_bind(struct sources *sources, int fd)
{
    int one = 1;
    const struct target *source = &sources->targets[sources->next++ % sources->count];
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)&source->addr, source->len) != 0)
        fail("bind");
}

struct visit {
    int fd;
    enum { CONNECTING, GREETED, ASKED, CONNECTED } stage; // the two in the middle: of a SOCKS server
};

static void wait_for(struct visit *visit, int epoll, int how, uint32_t what)
{
    struct epoll_event event = {.events = what, .data.ptr = visit};
    epoll_ctl(epoll, how, visit->fd, &event);
}

static void begin_visit(struct visit *visit, const struct target *target, struct sources *sources, int epoll)
{
    const struct target *first = target_first(target);
    *visit = (struct visit){.fd = open_socket(first, SOCK_STREAM | SOCK_NONBLOCK)};
    sources_bind(sources, visit->fd);
    if (connect(visit->fd, (const struct sockaddr *)&first->addr, first->len) != 0 && errno != EINPROGRESS)
        fail("connect");
    wait_for(visit, epoll, EPOLL_CTL_ADD, EPOLLOUT);
}

// True when the visit is over: the mode and one byte there, that byte back.
static int continue_visit(struct visit *visit, const struct target *target, int epoll)
{
    char bytes[2] = {'e', 'x'};
    switch (visit->stage) {
    case CONNECTING:
        wait_for(visit, epoll, EPOLL_CTL_MOD, EPOLLIN);
        if (!target->socks)
            break;
        socks_greet(visit->fd);
        visit->stage = GREETED;
        return 0;
    case GREETED:
        socks_ask(visit->fd, target);
        visit->stage = ASKED;
        return 0;
    case ASKED:
        socks_take_answer(visit->fd);
        break;
    case CONNECTED:
        if (recv(visit->fd, bytes, 1, 0) != 1)
            fail("visit");
        close(visit->fd);
        return 1;
    }
    if (send(visit->fd, bytes, 2, MSG_NOSIGNAL) != 2)
        fail("visit");
    visit->stage = CONNECTED;
    return 0;
}

void run_crr(const struct target *target, char **args)
{
    int parallel = atoi(args[0]), epoll = epoll_create1(0);
    struct visit *visits = calloc((size_t)parallel, sizeof(*visits));
    double begin = now_seconds(), end = begin + atof(args[1]);
    unsigned long count = 0;
    struct sources sources = {0};
    sources_parse(&sources, args[2]);
    for (int i = 0; i < parallel; i++)
        begin_visit(&visits[i], target, &sources, epoll);
    while (now_seconds() < end) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, 1000);
        for (int i = 0; i < ready; i++) {
            if (continue_visit(events[i].data.ptr, target, epoll)) {
                count++;
                begin_visit(events[i].data.ptr, target, &sources, epoll);
            }
        }
    }
    printf("per_second=%.1f count=%lu\n", (double)count / (now_seconds() - begin), count);
}

// Opens at 3,000 a second, then waits for a line on standard input (its parent measures memory in between), then echoes.
void run_hold(const struct target *target, char **args)
{
    int flows = atoi(args[0]);
    int *fds = malloc((size_t)flows * sizeof(*fds));
    struct samples samples = {0};
    double begin = now_seconds();
    char byte = 'x';
    for (int i = 0; i < flows; i++) {
        fds[i] = connect_to(target, 'e');
        if (write(fds[i], &byte, 1) != 1 || read(fds[i], &byte, 1) != 1)
            fail("flow %d", i);
        double ahead = begin + (i + 1) / 3000.0 - now_seconds();
        if (ahead > 0)
            usleep((useconds_t)(ahead * 1e6));
    }
    puts("held");
    fflush(stdout);
    getchar();
    double end = now_seconds() + atof(args[1]), start = now_seconds(), now;
    while ((now = now_seconds()) < end) {
        int fd = fds[(size_t)rand() % (size_t)flows];
        if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
            fail("echo");
        samples_add(&samples, (now_seconds() - now) * 1e6);
    }
    printf("per_second=%.1f p50_us=%.1f p99_us=%.1f\n", (double)samples.count / (end - start),
           samples_percentile(&samples, 50), samples_percentile(&samples, 99));
}
