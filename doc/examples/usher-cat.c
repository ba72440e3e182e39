// SPDX-License-Identifier: GPL-2.0-or-later
// usher-cat: like netcat, through a gate. Standard input goes to the far end, what comes from there to standard output; the
// end of either is told to the other.
//
//     cc -o usher-cat usher-cat.c $(pkg-config --cflags --libs libusher)
//     usher-cat branch db.corp.example 5432         by a tunnel of its own, as branch.conf says
//     usher-cat -a branch db.corp.example 5432      through the portal that is running as "branch"
//     usher-cat -u branch ns.corp.example 53        UDP: each read of standard input is a datagram
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <usher.h>

enum { TIMEOUT_MS = 15000 };

// One direction, with what has been read and not written yet.
struct direction {
    int from, to;
    char bytes[65536];
    size_t at, len;
    bool ended;
};

static struct direction up, down;

static bool is_again(void)
{
    return errno == EAGAIN || errno == EINTR;
}

// 0, or errno; at the end of `from`, and with all of it written, `ended`.
static int carry(struct direction *way)
{
    if (way->at == way->len) {
        ssize_t n = read(way->from, way->bytes, sizeof way->bytes);
        if (n < 0)
            return is_again() ? 0 : errno;
        way->ended = n == 0;
        way->at = 0;
        way->len = (size_t)n;
    }
    if (way->ended)
        return 0;
    ssize_t n = write(way->to, way->bytes + way->at, way->len - way->at);
    if (n < 0)
        return is_again() ? 0 : errno;
    way->at += (size_t)n;
    return 0;
}

// What it waits for: to read when all is written.
static struct pollfd waits(const struct direction *way)
{
    bool reads = way->at == way->len;
    return (struct pollfd){.fd = way->ended ? -1 : reads ? way->from : way->to, .events = reads ? POLLIN : POLLOUT};
}

static int relay(int fd, bool is_udp)
{
    up = (struct direction){.from = STDIN_FILENO, .to = fd};
    down = (struct direction){.from = fd, .to = STDOUT_FILENO};
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    while (!down.ended) {
        struct pollfd fds[] = {waits(&up), waits(&down)};
        int error = poll(fds, 2, -1) < 0 && errno != EINTR ? errno : 0;
        if (!error && fds[1].revents)
            error = carry(&down);
        if (!error && fds[0].revents) {
            error = carry(&up);
            if (!error && up.ended && !is_udp)
                shutdown(fd, SHUT_WR);
        }
        if (error)
            return error;
    }
    return 0;
}

static int usage(void)
{
    fputs("usage: usher-cat [-a] [-u] NAME|FILE HOST PORT\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    bool attach = false, is_udp = false;
    char why[USHER_WHY_SIZE];
    signal(SIGPIPE, SIG_IGN); // as with any socket
    for (int option; (option = getopt(argc, argv, "au")) != -1;) {
        if (option != 'a' && option != 'u')
            return usage();
        attach |= option == 'a';
        is_udp |= option == 'u';
    }
    if (argc - optind != 3)
        return usage();
    const char *name = argv[optind], *host = argv[optind + 1];
    long port = strtol(argv[optind + 2], NULL, 10);

    usher_t *usher =
        attach ? usher_attach(name, TIMEOUT_MS, why, sizeof why) : usher_connect(name, TIMEOUT_MS, why, sizeof why);
    if (!usher) {
        fprintf(stderr, "usher-cat: %s\n", why);
        return 1;
    }
    int fd = (is_udp ? usher_open_udp : usher_open_tcp)(usher, host, port > 0 && port < 65536 ? (uint16_t)port : 0,
                                                        TIMEOUT_MS);
    if (fd < 0)
        fprintf(stderr, "usher-cat: %s: %s (%s)\n", host, strerror(errno), usher_why());
    int error = fd < 0 ? 0 : relay(fd, is_udp);
    if (error)
        fprintf(stderr, "usher-cat: %s: %s\n", host, strerror(error));
    if (fd >= 0)
        close(fd);
    usher_close(usher);
    return fd < 0 || error ? 1 : 0;
}
