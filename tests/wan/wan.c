// SPDX-License-Identifier: GPL-2.0-or-later
// An emulated wide-area link for tests and benchmarks, where the kernel has no netem: joins a TUN device in one network
// namespace with one in another, and gives every packet a delay, a chance of loss, a rate and a bounded queue.
//
//     wan LEFT-NETNS DEVICE RIGHT-NETNS DEVICE [delay=MS] [rate=MBIT] [queue=KIB] [loss=PERCENT] [seed=N]
//
// delay is one way; rate, queue and loss hold for each direction. The caller gives the devices addresses. SIGUSR1 cuts
// the link, SIGUSR2 heals it; SIGTERM ends, with a line of counts for each direction.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <math.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKET_MAX = 65536,
    BATCH = 64,               // packets read in a row before what is due is written
    QUEUE_DEFAULT_KIB = 1024, // a quarter of a second at 32 Mbit/s
};

static volatile sig_atomic_t cut, stop;

struct packet {
    struct packet *next;
    uint64_t due; // nanoseconds, CLOCK_MONOTONIC
    uint32_t len;
    uint8_t bytes[];
};

// One direction. Packets leave one after the other at `rate`, and arrive `delay` later: a constant delay keeps their
// order, so a plain queue holds both those that wait and those that fly.
struct direction {
    const char *name;
    int from, to;
    struct packet *head, **tail;
    uint64_t free_at; // when the transmitter has sent everything queued so far
    uint64_t forwarded, lost, overflowed, cut;
};

struct link {
    uint64_t delay_ns;
    double ns_per_byte;   // 0: no limit
    uint64_t queue_bytes; // waiting for the transmitter
    double loss;          // 0..1
    uint64_t random;      // xorshift64* state
};

static void fail(const char *what)
{
    fprintf(stderr, "wan: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double random_unit(struct link *link)
{
    link->random ^= link->random >> 12;
    link->random ^= link->random << 25;
    link->random ^= link->random >> 27;
    return (double)(link->random * UINT64_C(2685821657736338717) >> 11) / 9007199254740992.0; // 2^53
}

static int open_device(const char *netns, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "/run/netns/%s", netns);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
        fail(path);
    close(ns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
        fail(name);
    return fd;
}

static void accept_packet(struct direction *d, struct link *link, const uint8_t *bytes, size_t len, uint64_t now)
{
    uint64_t start = d->free_at > now ? d->free_at : now;
    if (cut) {
        d->cut++;
        return;
    }
    if (link->loss > 0 && random_unit(link) < link->loss) {
        d->lost++;
        return;
    }
    if (link->ns_per_byte > 0 && (double)(start - now) / link->ns_per_byte + (double)len > (double)link->queue_bytes) {
        d->overflowed++;
        return;
    }
    struct packet *packet = malloc(sizeof(*packet) + len);
    if (packet == NULL)
        fail("malloc");
    d->free_at = start + (uint64_t)llround(link->ns_per_byte * (double)len);
    *packet = (struct packet){.due = d->free_at + link->delay_ns, .len = (uint32_t)len};
    memcpy(packet->bytes, bytes, len);
    *d->tail = packet;
    d->tail = &packet->next;
}

static void read_packets(struct direction *d, struct link *link)
{
    static uint8_t bytes[PACKET_MAX];
    for (int i = 0; i < BATCH; i++) {
        ssize_t len = read(d->from, bytes, sizeof(bytes));
        if (len <= 0)
            return;
        accept_packet(d, link, bytes, (size_t)len, now_ns());
    }
}

static void write_due(struct direction *d, uint64_t now)
{
    while (d->head != NULL && d->head->due <= now) {
        struct packet *packet = d->head;
        d->head = packet->next;
        if (d->head == NULL)
            d->tail = &d->head;
        if (cut)
            d->cut++;
        else if (write(d->to, packet->bytes, packet->len) == (ssize_t)packet->len)
            d->forwarded++;
        free(packet);
    }
}

static void on_signal(int number)
{
    if (number == SIGUSR1)
        cut = 1;
    else if (number == SIGUSR2)
        cut = 0;
    else
        stop = 1;
}

static void run(struct direction d[2], struct link *link)
{
    sigset_t none;
    sigemptyset(&none);
    while (!stop) {
        struct pollfd fds[2] = {{.fd = d[0].from, .events = POLLIN}, {.fd = d[1].from, .events = POLLIN}};
        uint64_t now = now_ns(), due = now + 1000000000;
        for (int i = 0; i < 2; i++) {
            if (d[i].head != NULL && d[i].head->due < due)
                due = d[i].head->due > now ? d[i].head->due : now;
        }
        struct timespec wait = {.tv_sec = (time_t)((due - now) / 1000000000),
                                .tv_nsec = (long)((due - now) % 1000000000)};
        // Signals are let in only while it sleeps, so that none falls between the look at `stop` and the sleep.
        ppoll(fds, 2, &wait, &none);
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents & POLLIN)
                read_packets(&d[i], link);
            write_due(&d[i], now_ns());
        }
    }
}

static void set_option(struct link *link, const char *option)
{
    double value;
    char name[16];
    if (sscanf(option, "%15[a-z]=%lf", name, &value) != 2 || value < 0)
        errno = EINVAL, fail(option);
    if (strcmp(name, "delay") == 0)
        link->delay_ns = (uint64_t)llround(value * 1e6);
    else if (strcmp(name, "rate") == 0)
        link->ns_per_byte = value > 0 ? 8000.0 / value : 0;
    else if (strcmp(name, "queue") == 0)
        link->queue_bytes = (uint64_t)llround(value * 1024);
    else if (strcmp(name, "loss") == 0)
        link->loss = value / 100;
    else if (strcmp(name, "seed") == 0)
        link->random = (uint64_t)llround(value) * 2 + 1;
    else
        errno = EINVAL, fail(option);
}

int main(int argc, char **argv)
{
    struct link link = {.queue_bytes = QUEUE_DEFAULT_KIB * 1024, .random = 1};
    if (argc < 5) {
        fprintf(stderr, "usage: wan LEFT-NETNS DEVICE RIGHT-NETNS DEVICE [delay=MS] [rate=MBIT] [queue=KIB] "
                        "[loss=PERCENT] [seed=N]\n");
        return 2;
    }
    for (int i = 5; i < argc; i++)
        set_option(&link, argv[i]);
    int left = open_device(argv[1], argv[2]), right = open_device(argv[3], argv[4]);
    struct direction d[2] = {{.name = "left to right", .from = left, .to = right},
                             {.name = "right to left", .from = right, .to = left}};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t handled;
    sigemptyset(&handled);
    for (int i = 0; i < 2; i++)
        d[i].tail = &d[i].head;
    for (const int *number = (const int[]){SIGUSR1, SIGUSR2, SIGTERM, SIGINT, 0}; *number != 0; number++) {
        sigaction(*number, &action, NULL);
        sigaddset(&handled, *number);
    }
    sigprocmask(SIG_BLOCK, &handled, NULL);
    run(d, &link);
    for (int i = 0; i < 2; i++)
        printf("%s: %llu forwarded, %llu lost, %llu overflowed, %llu cut\n", d[i].name,
               (unsigned long long)d[i].forwarded, (unsigned long long)d[i].lost, (unsigned long long)d[i].overflowed,
               (unsigned long long)d[i].cut);
    return 0;
}
