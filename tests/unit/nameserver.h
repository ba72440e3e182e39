// SPDX-License-Identifier: GPL-2.0-or-later
// A name server in a child process, for tests: UDP and TCP on a loopback port, with answers that depend on the name.
//
//     two.test     192.0.2.1 and 2001:db8::1          none.test    no such name
//     near4.test   127.0.0.9 and 2001:db8::1          empty.test   no address
//     near6.test   192.0.2.1 and ::1                  broken.test  the server fails
//     many.test    20 addresses                       silent.test  never an answer
//     big.test     the answer comes over TCP alone    half.test    192.0.2.1, and silence about AAAA
//
// Of one family 192.0.2.1 or 2001:db8::1, and of the other:
//     fails4.test, fails6.test    the server fails          refuses4.test, refuses6.test    it refuses
//     lacks4.test, lacks6.test    there is no such name     torn4.test, torn6.test          what it says is no answer
#ifndef TESTS_NAMESERVER_H
#define TESTS_NAMESERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct nameserver {
    pid_t pid;
    char servers[32]; // for the resolver
};

enum { DNS_A = 1, DNS_AAAA = 28, DNS_HEADER = 12 };

// Adds a record for the name of the question (RFC 1035 section 4.1.3).
static size_t answer_add(uint8_t *at, int type, const char *address)
{
    const int len = type == DNS_A ? 4 : 16;
    const uint8_t head[] = {0xc0, DNS_HEADER, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0, (uint8_t)len};
    memcpy(at, head, sizeof(head));
    inet_pton(type == DNS_A ? AF_INET : AF_INET6, address, at + sizeof(head));
    return sizeof(head) + (size_t)len;
}

// Turns the question into its answer, in place: the length, or 0 for silence.
static size_t answer_make(uint8_t *msg, size_t len, bool tcp)
{
    static const struct {
        const char *name, *a, *aaaa;
    } known[] = {{"two", "192.0.2.1", "2001:db8::1"},
                 {"near4", "127.0.0.9", "2001:db8::1"},
                 {"near6", "192.0.2.1", "::1"},
                 {"many", "192.0.2.1", NULL},
                 {"big", "192.0.2.1", NULL},
                 {"half", "192.0.2.1", NULL},
                 {"fails4", "192.0.2.1", NULL},
                 {"fails6", NULL, "2001:db8::1"},
                 {"refuses4", "192.0.2.1", NULL},
                 {"refuses6", NULL, "2001:db8::1"},
                 {"lacks4", "192.0.2.1", NULL},
                 {"lacks6", NULL, "2001:db8::1"},
                 {"torn4", "192.0.2.1", NULL},
                 {"torn6", NULL, "2001:db8::1"},
                 {"empty", NULL, NULL},
                 {"broken", NULL, NULL}};
    if (len < DNS_HEADER + 6)
        return 0;
    char name[64];
    snprintf(name, sizeof(name), "%.*s", msg[DNS_HEADER] & 63, (const char *)msg + DNS_HEADER + 1);
    size_t end = DNS_HEADER + strnlen((const char *)msg + DNS_HEADER, len - DNS_HEADER) + 1;
    int type = msg[end + 1];
    end += 4;
    uint8_t code = 3; // no such name
    uint16_t count = 0;
    msg[2] = 0x84, msg[3] = 0;
    memset(msg + 6, 0, 6);
    if (strcmp(name, "silent") == 0 || (strcmp(name, "half") == 0 && type == DNS_AAAA))
        return 0;
    if (strcmp(name, "big") == 0 && !tcp) {
        msg[2] |= 2; // truncated
        return end;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcasecmp(name, known[i].name) != 0)
            continue;
        const char *address = type == DNS_A ? known[i].a : known[i].aaaa;
        code = strcmp(name, "broken") == 0 ? 2 : 0;
        for (int copies = strcmp(name, "many") == 0 ? 20 : 1; address && copies > 0; copies--, count++) {
            end += answer_add(msg + end, type, address);
            msg[end - 1] = (uint8_t)(msg[end - 1] + count); // each its own
        }
    }
    bool other = count == 0; // than the family that there is
    if (other && strncmp(name, "fails", 5) == 0)
        code = 2;
    if (other && strncmp(name, "refuses", 7) == 0)
        code = 5;
    if (other && strncmp(name, "lacks", 5) == 0)
        code = 3;
    if (other && strncmp(name, "torn", 4) == 0) {
        count = 1; // that is not there
        msg[end++] = 0xc0;
    }
    msg[3] = code;
    msg[7] = (uint8_t)count;
    return end;
}

static void answer_udp(int fd)
{
    uint8_t msg[1024];
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    ssize_t len = recvfrom(fd, msg, 512, 0, (struct sockaddr *)&from, &size);
    size_t reply = len > 0 ? answer_make(msg, (size_t)len, false) : 0;
    if (reply)
        sendto(fd, msg, reply, 0, (struct sockaddr *)&from, size);
}

static void answer_tcp(int listener)
{
    int fd = accept(listener, NULL, NULL);
    uint8_t msg[1024];
    for (;;) {
        if (recv(fd, msg, 2, MSG_WAITALL) != 2)
            break;
        size_t len = (size_t)msg[0] << 8 | msg[1];
        if (len > 512 || recv(fd, msg + 2, len, MSG_WAITALL) != (ssize_t)len)
            break;
        len = answer_make(msg + 2, len, true);
        msg[0] = (uint8_t)(len >> 8), msg[1] = (uint8_t)len;
        if (send(fd, msg, len + 2, MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
}

// One port for both; false when that which the kernel has chosen for the one is in use for the other.
static bool open_port(int *udp, int *tcp, struct sockaddr_in *at)
{
    socklen_t size = sizeof(*at);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    *tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*udp >= 0 && *tcp >= 0 && bind(*udp, (struct sockaddr *)at, size) == 0 &&
        getsockname(*udp, (struct sockaddr *)at, &size) == 0 && bind(*tcp, (struct sockaddr *)at, size) == 0 &&
        listen(*tcp, 4) == 0)
        return true;
    close(*udp);
    close(*tcp);
    return false;
}

static bool nameserver_start(struct nameserver *server)
{
    struct sockaddr_in at;
    int udp, tcp;
    bool ok = false;
    for (int tries = 0; !ok && tries < 100; tries++)
        ok = open_port(&udp, &tcp, &at);
    if (!ok)
        return false;
    snprintf(server->servers, sizeof(server->servers), "127.0.0.1:%u", ntohs(at.sin_port));
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct pollfd fds[] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};
        for (;;) {
            poll(fds, 2, -1);
            if (fds[0].revents)
                answer_udp(udp);
            if (fds[1].revents)
                answer_tcp(tcp);
        }
    }
    close(udp);
    close(tcp);
    return server->pid > 0;
}

static void nameserver_stop(struct nameserver *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

#endif
