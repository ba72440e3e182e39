// SPDX-License-Identifier: GPL-2.0-or-later
// A raw socket that is connected gets only what its peer sends, and errors about it as errno. The kernel computes the checksum
// of version 6.
#include "os/socket/ping.h"

#include "base/checksum.h"
#include "os/clock.h"
#include "os/socket/socket.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { ICMP_SIZE = 8, ANSWER_SIZE = 256 };

static void write_request(uint8_t message[ICMP_SIZE], uint8_t version, uint16_t id)
{
    memset(message, 0, ICMP_SIZE);
    message[0] = version == 6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    message[4] = (uint8_t)(id >> 8);
    message[5] = (uint8_t)id;
    message[7] = 1;
    if (version == 4)
        checksum_put(message + 2, checksum_fold(checksum_add(0, message, ICMP_SIZE)));
}

static bool is_answer(const uint8_t *packet, size_t len, uint8_t version, const uint8_t request[ICMP_SIZE])
{
    size_t skipped = version == 4 && len ? (packet[0] & 15u) * 4 : 0;
    return len >= skipped + ICMP_SIZE && packet[skipped] == (version == 6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) &&
           !memcmp(packet + skipped + 4, request + 4, 4);
}

static int wait_for_answer(int fd, uint8_t version, const uint8_t request[ICMP_SIZE], usec_t until)
{
    uint8_t packet[ANSWER_SIZE];
    for (;;) {
        usec_t now = clock_now();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (now >= until || poll(&ready, 1, (int)((until - now) / USEC_PER_MSEC) + 1) == 0)
            return ETIMEDOUT;
        ssize_t n = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return errno;
        if (n > 0 && is_answer(packet, (size_t)n, version, request))
            return 0;
    }
}

int ping_once(const struct address *to, unsigned timeout_ms, usec_t *took)
{
    static const int on = 1;
    const struct endpoint end = {.addr = *to};
    struct sockaddr_storage sa;
    uint8_t request[ICMP_SIZE];
    usec_t begun = clock_now();
    *took = 0;
    int fd = socket_raw_icmp(to->version);
    if (fd < 0)
        return errno;
    setsockopt(fd, to->version == 6 ? IPPROTO_IPV6 : IPPROTO_IP, to->version == 6 ? IPV6_RECVERR : IP_RECVERR, &on,
               sizeof on);
    write_request(request, to->version, (uint16_t)getpid());
    socklen_t len = endpoint_to_sockaddr(&end, &sa);
    int error = 0;
    if (connect(fd, (struct sockaddr *)&sa, len) < 0 || send(fd, request, sizeof request, 0) < 0)
        error = errno;
    else
        error = wait_for_answer(fd, to->version, request, begun + timeout_ms * USEC_PER_MSEC);
    close(fd);
    *took = clock_now() - begun;
    return error;
}
