// SPDX-License-Identifier: GPL-2.0-or-later
// The load of the benchmark, both ends in one program, so that every path is measured by the same two system calls.
//
//     load serve ADDRESS PORT                       TCP and UDP; runs until killed
//     load bulk ADDRESS PORT up|down STREAMS SECONDS
//     load rr ADDRESS PORT SECONDS                  1 byte there, 1 byte back, one at a time
//     load crr ADDRESS PORT PARALLEL SECONDS SOURCE,...   connect, 1 byte each way, close; from these addresses in turn
//     load hold ADDRESS PORT FLOWS SECONDS          opens FLOWS, says "held", then echoes over randomly chosen ones
//     load udp ADDRESS PORT WINDOW SECONDS          64-byte echoes, WINDOW of them on the way
//     load opens ADDRESS PORT PORTS PER_SECOND SECONDS SOURCE,...   to PORTS from PORT on: connect, 1 byte each way, close, at that pace; counts failures
//     load flood ADDRESS PORT PER_SECOND FILE SOURCE,...    connections that say what is in FILE, and no more; until SIGTERM
//     load sink ADDRESS PORT                        takes connections and ends them; runs until killed
//     load --socks HOST:PORT bulk|rr|crr|hold ...   the same through a SOCKS5 server; [HOST]:PORT for IPv6
//
// Prints one line of name=value pairs. The first byte of a TCP connection says what the server does with it: 'e' echoes,
// 's' swallows, 'g' generates.
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void fail(const char *format, ...)
{
    int error = errno;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, ": %s\n", strerror(error));
    exit(1);
}

double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct target parse_target(const char *address, const char *port)
{
    struct target target = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&target.addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target.addr;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)atoi(port));
        target.len = sizeof(*v4);
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)atoi(port));
        target.len = sizeof(*v6);
    } else {
        errno = EINVAL;
        fail("address %s", address);
    }
    return target;
}

// At the same place in both families.
uint16_t target_port(const struct target *target)
{
    return ntohs(((const struct sockaddr_in *)&target->addr)->sin_port);
}

void target_set_port(struct target *target, uint16_t port)
{
    ((struct sockaddr_in *)&target->addr)->sin_port = htons(port);
}

static struct target parse_host_port(char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon) {
        errno = EINVAL;
        fail("%s is not HOST:PORT", text);
    }
    *colon = '\0';
    if (*text == '[' && colon[-1] == ']') {
        text++;
        colon[-1] = '\0';
    }
    return parse_target(text, colon + 1);
}

const struct target *target_first(const struct target *target)
{
    return target->socks ? target->socks : target;
}

int open_socket(const struct target *target, int type)
{
    int one = 1, fd = socket(target->addr.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    if ((type & ~SOCK_NONBLOCK) == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

int connect_to(const struct target *target, char mode)
{
    const struct target *first = target_first(target);
    int fd = open_socket(first, SOCK_STREAM);
    if (connect(fd, (const struct sockaddr *)&first->addr, first->len) != 0)
        fail("connect");
    if (target->socks) {
        socks_greet(fd);
        socks_ask(fd, target);
        socks_take_answer(fd);
    }
    if (mode != 0 && write(fd, &mode, 1) != 1)
        fail("write");
    return fd;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void samples_add(struct samples *s, double value)
{
    if (s->count == s->room) {
        s->room = s->room == 0 ? 4096 : 2 * s->room;
        s->values = realloc(s->values, s->room * sizeof(*s->values));
        if (s->values == NULL)
            fail("realloc");
    }
    s->values[s->count++] = value;
}

double samples_percentile(struct samples *s, double percent)
{
    if (s->count == 0)
        return 0;
    qsort(s->values, s->count, sizeof(*s->values), compare);
    return s->values[(size_t)((double)(s->count - 1) * percent / 100)];
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int argc;
        void (*run)(const struct target *target, char **args);
        bool takes_socks;
    } modes[] = {
        {"serve", 4, run_serve, false}, {"bulk", 7, run_bulk, true},    {"rr", 5, run_rr, true},
        {"crr", 7, run_crr, true},      {"hold", 6, run_hold, true},    {"udp", 6, run_udp, false},
        {"opens", 8, run_opens, false}, {"flood", 7, run_flood, false}, {"sink", 4, run_sink, false},
    };
    struct target socks;
    bool through_socks = argc > 2 && strcmp(argv[1], "--socks") == 0;
    if (through_socks) {
        socks = parse_host_port(argv[2]);
        argc -= 2;
        argv += 2;
    }
    struct rlimit files = {.rlim_cur = 200000, .rlim_max = 200000}; // 30,000 flows and room
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; argc > 3 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) == 0 && argc == modes[i].argc && through_socks <= modes[i].takes_socks) {
            struct target target = parse_target(argv[2], argv[3]);
            target.socks = through_socks ? &socks : NULL;
            modes[i].run(&target, argv + 4);
            return 0;
        }
    }
    fprintf(stderr, "usage: see the head of tests/bench/load.c\n");
    return 2;
}
