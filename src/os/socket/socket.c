// SPDX-License-Identifier: GPL-2.0-or-later
// Every descriptor made here is non-blocking and close-on-exec from its first moment. A setter without a result sets
// what only tunes: a kernel that refuses it costs speed, never correctness.
#include "os/socket/socket.h"

#include "os/log.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

// Keep-alives of a quiet connection: the first after 10 s, then every 3 s, three in all. So a dead peer shows within
// 19 s, inside the 30 s after which a tunnel counts as dead (doc/PROTOCOL.md section 9).
enum { KEEPALIVE_IDLE_S = 10, KEEPALIVE_INTERVAL_S = 3, KEEPALIVE_COUNT = 3 };

// What is lost is sent again at least this often, the least that the kernel takes. By default the pauses double up to two
// minutes, and a path that was gone for ten seconds would be found again up to ten seconds after it is back.
enum { RETRANSMIT_MS = 1000 };

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 // Linux 6.15; the headers may be older than the kernel
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 // Linux 6.3
#endif

// Bytes. The kernel doubles it; two thirds of that, 21 MiB, are the flight of bbr's start-up (2.9 times what the path holds)
// at 1 Gbit/s and 60 ms. What is really used is bounded by the peer's receive window (tcp_rmem, 6 MiB by default).
enum { SEND_BUFFER = 16 * 1024 * 1024 };

enum { NEAR_RTT_USEC = 3000 }; // a path within a site or a city: losses there are few, and repaired at once

static int family_of(uint8_t version)
{
    return version == 6 ? AF_INET6 : AF_INET;
}

static int make(uint8_t version, int type, int protocol)
{
    return socket(family_of(version), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static bool set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// Closes and keeps errno, for the ways out of a half-made socket.
static int give_up(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

// Loopback and "every one" are there, or are not for a reason.
static bool may_come(const struct address *addr)
{
    static const struct address any = {0};
    static const uint8_t loopback6[16] = {[15] = 1};
    bool is_loopback = addr->version == 4 ? addr->bytes[0] == 127 : !memcmp(addr->bytes, loopback6, 16);
    return !is_loopback && memcmp(addr->bytes, any.bytes, sizeof any.bytes) != 0;
}

// At an address that this host does not have, too, which may come later: with a line that is cut, or a router that this host
// stands in for.
static bool bind_at(int fd, const struct endpoint *at)
{
    char text[ADDRESS_TEXT_SIZE];
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(at, &sa);
    if (bind(fd, (struct sockaddr *)&sa, len) == 0)
        return true;
    if (errno != EADDRNOTAVAIL || !may_come(&at->addr))
        return false;
    if (!set_int(fd, IPPROTO_IP, IP_FREEBIND, 1) || bind(fd, (struct sockaddr *)&sa, len) < 0)
        return false;
    log_warning("this host does not have %s now: nobody is served there until it does", address_text(&at->addr, text));
    return true;
}

int socket_listen(const struct endpoint *at, int backlog, struct fault *fault)
{
    char text[ENDPOINT_TEXT_SIZE];
    int fd = make(at->addr.version, SOCK_STREAM, 0);
    if (fd < 0) {
        fault_errno(fault, errno, "listen on %s: make a socket", endpoint_text(at, text));
        return -1;
    }
    // A v6 socket that also took v4 would collide with the v4 one beside it.
    bool ok = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
              (at->addr.version != 6 || set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) && bind_at(fd, at) &&
              listen(fd, backlog) == 0;
    if (!ok) {
        int error = errno;
        fault_errno(fault, error, "listen on %s", endpoint_text(at, text));
        errno = error;
        return give_up(fd);
    }
    return fd;
}

// The kernel leaves every other port to who binds, and searches all of one half before it gives any of the other: a millisecond and
// more for each connection once 14,000 lead to one place, or did a minute ago. Of a range that was asked for it takes the next
// that is free (Linux 6.8; older ones do as ever); one that holds all of the system's changes nothing else.
static void use_all_ports(int fd)
{
    const uint32_t any = UINT32_C(65535) << 16 | 1;
    (void)!setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &any, sizeof any);
}

int socket_stream(uint8_t version)
{
    int fd = make(version, SOCK_STREAM, 0);
    if (fd >= 0)
        use_all_ports(fd);
    return fd;
}

int socket_datagram(uint8_t version)
{
    int fd = make(version, SOCK_DGRAM, 0);
    if (fd < 0)
        return -1;
    bool ok = version == 6 ? set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) : set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
    return ok ? fd : give_up(fd);
}

int socket_bound_datagram(const struct endpoint *at, struct fault *fault)
{
    char text[ENDPOINT_TEXT_SIZE];
    int fd = socket_datagram(at->addr.version);
    if (fd >= 0 && (at->addr.version != 6 || set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) && bind_at(fd, at))
        return fd;
    int error = errno;
    fault_errno(fault, error, "listen on UDP %s", endpoint_text(at, text));
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

// The filter is set before anybody can read: what came in between passed no filter, so it is thrown away.
static void drain(int fd)
{
    char byte;
    while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) >= 0)
        ;
}

static bool filter_icmp4(int fd)
{
    // A set bit keeps the type out (raw(7)).
    const struct icmp_filter filter = {
        .data = ~(1u << ICMP_ECHOREPLY | 1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED)};
    return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) == 0;
}

static bool filter_icmp6(int fd)
{
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter);
    ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &filter);
    ICMP6_FILTER_SETPASS(ICMP6_TIME_EXCEEDED, &filter);
    return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0;
}

int socket_raw_icmp(uint8_t version)
{
    int fd = make(version, SOCK_RAW, version == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    if (fd < 0)
        return -1;
    if (!(version == 6 ? filter_icmp6(fd) : filter_icmp4(fd)))
        return give_up(fd);
    drain(fd);
    return fd;
}

const struct address *socket_source_of(const struct socket_source *source, uint8_t version)
{
    const struct address *from = version == 6 ? &source->v6 : &source->v4;
    return from->version ? from : NULL;
}

bool socket_bind(int fd, const struct address *from)
{
    struct sockaddr_storage sa;
    const struct endpoint any_port = {.addr = *from};
    socklen_t len = endpoint_to_sockaddr(&any_port, &sa);
    return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

bool socket_bind_stream(int fd, const struct address *from)
{
    return set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) && socket_bind(fd, from);
}

int socket_connect(int fd, const struct endpoint *to)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(to, &sa);
    if (connect(fd, (struct sockaddr *)&sa, len) == 0)
        return 0;
    // An interrupted connect goes on by itself (connect(2), EINTR).
    return errno == EINPROGRESS || errno == EINTR ? 1 : -1;
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

void socket_set_nodelay(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void socket_set_notsent_lowat(int fd, uint32_t bytes)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

void socket_set_send_buffer(int fd)
{
    set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
}

static const char *congestion_for_path(int fd)
{
    uint32_t rtt = socket_rtt_usec(fd);
    return rtt > 0 && rtt < NEAR_RTT_USEC ? "cubic" : "bbr";
}

bool socket_set_congestion(int fd, const char *name)
{
    if (strcmp(name, "auto") == 0)
        name = congestion_for_path(fd);
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

bool socket_usual_congestion(char name[SOCKET_CONGESTION_SIZE])
{
    socklen_t len = SOCKET_CONGESTION_SIZE - 1;
    int fd = socket_stream(4);
    memset(name, 0, SOCKET_CONGESTION_SIZE);
    bool known = fd >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0;
    if (fd >= 0)
        close(fd);
    return known;
}

bool socket_has_congestion(const char *name)
{
    int fd = strcmp(name, "auto") ? socket_stream(4) : -1;
    bool has = fd < 0 || socket_set_congestion(fd, name) || errno != ENOENT || geteuid() != 0;
    if (fd >= 0)
        close(fd);
    return has;
}

bool socket_bind_to_device(int fd, unsigned ifindex)
{
    int index = (int)ifindex;
    return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index) == 0;
}

bool socket_set_mark(int fd, uint32_t mark)
{
    return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0;
}

void socket_set_user_timeout(int fd, uint32_t ms)
{
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    set_int(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, RETRANSMIT_MS);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

static void set_linger(int fd, bool on)
{
    const struct linger none = {.l_onoff = on, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

void socket_set_reset_on_close(int fd)
{
    set_linger(fd, true);
}

void socket_close_reset(int fd)
{
    set_linger(fd, true);
    close(fd);
}

void socket_close_in_order(int fd)
{
    set_linger(fd, false);
    close(fd);
}

bool socket_local(int fd, struct endpoint *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && endpoint_from_sockaddr(out, (struct sockaddr *)&sa);
}

bool socket_peer(int fd, struct endpoint *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    return getpeername(fd, (struct sockaddr *)&sa, &len) == 0 && endpoint_from_sockaddr(out, (struct sockaddr *)&sa);
}

bool socket_source_to(const struct endpoint *to, uint32_t mark, struct address *out)
{
    struct endpoint local;
    int fd = socket_datagram(to->addr.version);
    bool known =
        fd >= 0 && (!mark || socket_set_mark(fd, mark)) && socket_connect(fd, to) == 0 && socket_local(fd, &local);
    if (fd >= 0)
        close(fd);
    if (known)
        *out = local.addr;
    return known;
}

bool socket_may_bind(const struct address *addr)
{
    int fd = socket_datagram(addr->version);
    if (fd < 0)
        return true;
    bool may = socket_bind(fd, addr);
    close(fd);
    return may;
}

bool socket_is_unacknowledged(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_unacked > 0;
}

uint32_t socket_rtt_usec(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_rtt : 0;
}
