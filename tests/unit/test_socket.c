// SPDX-License-Identifier: GPL-2.0-or-later
// Sockets over loopback, in a network of our own where that is permitted.
#include "os/socket/socket.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 // Linux 6.3
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 // Linux 6.15; the headers may be older than the kernel
#endif

static bool alone; // in a network namespace of our own, with its loopback up

static int enter(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) < 0)
        return 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    alone = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return 0;
}

static void need_namespace(void)
{
    if (alone)
        return;
    print_message("no permission for a network namespace\n");
    skip();
}

static struct endpoint at(const char *text)
{
    struct endpoint ep;
    assert_true(endpoint_parse(&ep, text));
    return ep;
}

static int int_option(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

static void assert_flags(int fd)
{
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static bool wait_for(int fd, short events)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    return poll(&wanted, 1, 2000) == 1;
}

static void test_flags(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version += 2) {
        int stream = socket_stream(version), datagram = socket_datagram(version);
        assert_flags(stream);
        assert_flags(datagram);
        assert_int_equal(int_option(stream, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
        assert_int_equal(int_option(stream, SOL_SOCKET, SO_DOMAIN), version == 6 ? AF_INET6 : AF_INET);
        assert_int_equal(version == 6 ? int_option(datagram, IPPROTO_IPV6, IPV6_RECVERR)
                                      : int_option(datagram, IPPROTO_IP, IP_RECVERR),
                         1);
        close(stream);
        close(datagram);
    }
}

static void test_listen_connect_names(void **state)
{
    (void)state;
    need_namespace();
    static const char *const places[] = {"127.0.0.1:4433", "[::1]:4433"};
    for (size_t i = 0; i < 2; i++) {
        struct fault fault;
        struct endpoint place = at(places[i]), local, peer;
        int listener = socket_listen(&place, 8, &fault);
        assert_flags(listener);
        int fd = socket_stream(place.addr.version);
        int begun = socket_connect(fd, &place);
        assert_true(begun == 0 || begun == 1);
        assert_true(wait_for(fd, POLLOUT));
        assert_int_equal(socket_error(fd), 0);

        assert_true(socket_peer(fd, &peer));
        assert_true(endpoint_equal(&peer, &place));
        assert_true(wait_for(listener, POLLIN));
        int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(accepted >= 0);
        assert_true(socket_local(fd, &local) && socket_peer(accepted, &peer));
        assert_true(endpoint_equal(&local, &peer));
        assert_true(socket_rtt_usec(fd) > 0);

        // The far end sees a reset, not an end of file.
        socket_close_reset(fd);
        assert_true(wait_for(accepted, POLLIN));
        char byte;
        assert_int_equal(read(accepted, &byte, 1), -1);
        assert_int_equal(errno, ECONNRESET);
        close(accepted);
        close(listener);
    }
}

// How a connection ends for its peer: whose process closes it, or dies.
static void test_ends(void **state)
{
    (void)state;
    need_namespace();
    static const struct {
        void (*close)(int fd); // NULL: it dies
        int error;             // 0: an end of file
    } cases[] = {{NULL, ECONNRESET}, {socket_close_reset, ECONNRESET}, {socket_close_in_order, 0}};
    struct fault fault;
    struct endpoint place = at("127.0.0.1:4436");
    int listener = socket_listen(&place, 8, &fault);
    for (size_t i = 0; i < 3; i++) {
        int fd = socket_stream(4);
        socket_set_reset_on_close(fd);
        socket_connect(fd, &place);
        assert_true(wait_for(fd, POLLOUT) && wait_for(listener, POLLIN));
        int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pid_t child = fork();
        if (child == 0) {
            if (cases[i].close)
                cases[i].close(fd);
            pause();
        }
        close(fd); // with another owner left this ends nothing
        if (!cases[i].close)
            kill(child, SIGKILL);
        char byte;
        assert_true(wait_for(accepted, POLLIN));
        assert_int_equal(read(accepted, &byte, 1), cases[i].error ? -1 : 0);
        assert_true(!cases[i].error || errno == cases[i].error);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(accepted);
    }
    close(listener);
}

static void test_v6_listener_leaves_v4_alone(void **state)
{
    (void)state;
    need_namespace();
    struct fault fault;
    struct endpoint v6 = at("[::]:4434"), v4 = at("0.0.0.0:4434");
    int first = socket_listen(&v6, 8, &fault);
    int second = socket_listen(&v4, 8, &fault);
    assert_true(first >= 0 && second >= 0);
    close(first);
    close(second);
}

static void test_listen_names_the_trouble(void **state)
{
    (void)state;
    need_namespace();
    struct fault fault;
    struct endpoint place = at("127.0.0.1:4435");
    int first = socket_listen(&place, 8, &fault);
    assert_true(first >= 0);
    assert_int_equal(socket_listen(&place, 8, &fault), -1);
    assert_string_equal(fault.text, "listen on 127.0.0.1:4435: Address already in use");
    close(first);
}

// With the sentence of the kernel where nobody else's address is meant.
static void test_an_address_that_comes_later(void **state)
{
    (void)state;
    need_namespace();
    static const char *const later[] = {"192.0.2.1:4435", "[2001:db8::1]:4435"};
    for (size_t i = 0; i < COUNT(later); i++) {
        struct fault fault;
        struct endpoint place = at(later[i]), is;
        int stream = socket_listen(&place, 8, &fault), datagram = socket_bound_datagram(&place, &fault);
        CASE(later[i], stream >= 0 && datagram >= 0);
        CASE(later[i], socket_local(stream, &is) && address_equal(&is.addr, &place.addr));
        int second = socket_listen(&place, 8, &fault);
        CASE(later[i], second < 0 && strstr(fault.text, "Address already in use"));
        close(stream);
        close(datagram);
    }
}

static void test_refusal_and_no_route(void **state)
{
    (void)state;
    need_namespace();
    struct endpoint closed = at("127.0.0.1:9"), nowhere = at("192.0.2.1:9");
    int fd = socket_stream(4);
    if (socket_connect(fd, &closed) == 1) {
        assert_true(wait_for(fd, POLLOUT));
        assert_int_equal(socket_error(fd), ECONNREFUSED);
        assert_int_equal(socket_error(fd), 0); // cleared by the asking
    }
    close(fd);
    fd = socket_stream(4);
    assert_int_equal(socket_connect(fd, &nowhere), -1);
    assert_int_equal(errno, ENETUNREACH);
    close(fd);
}

// What "auto" takes for a connection within this machine.
static const char *chosen_congestion(void)
{
    static char name[16];
    struct fault fault;
    struct endpoint here = at("127.0.0.1:0");
    socklen_t len = sizeof name;
    int listening = socket_listen(&here, 1, &fault), fd = socket_stream(4);
    assert_true(socket_local(listening, &here));
    assert_true(socket_connect(fd, &here) >= 0);
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000), 1);
    assert_true(socket_set_congestion(fd, "auto"));
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    close(fd);
    close(listening);
    return name;
}

static void test_options(void **state)
{
    (void)state;
    int fd = socket_stream(4);
    socket_set_nodelay(fd);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    socket_set_notsent_lowat(fd, 16384);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 16384);
    socket_set_user_timeout(fd, 20000);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 20000);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 10);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 3);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    int pause = 0;
    socklen_t pause_len = sizeof pause;
    if (getsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &pause, &pause_len) == 0) // else the kernel is older
        assert_int_equal(pause, 1000);

    int other = socket_stream(4), size = 65536, before = int_option(fd, SOL_SOCKET, SO_SNDBUF);
    bool may = setsockopt(other, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) == 0;
    close(other);
    socket_set_send_buffer(fd);
    assert_int_equal(int_option(fd, SOL_SOCKET, SO_SNDBUF), may ? 2 * 16 << 20 : before);

    assert_true(socket_set_congestion(fd, "reno"));
    char name[16] = "";
    socklen_t len = sizeof name;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "reno");
    assert_false(socket_set_congestion(fd, "no-such-thing"));
    assert_int_equal(socket_has_congestion("no-such-thing"), geteuid() != 0);
    assert_true(socket_has_congestion("reno") && socket_has_congestion("cubic") && socket_has_congestion("auto"));
    char usual[SOCKET_CONGESTION_SIZE];
    assert_true(socket_usual_congestion(usual) && socket_has_congestion(usual) && *usual);
    assert_string_equal(chosen_congestion(), "cubic"); // nothing is nearer than this machine
    assert_int_equal(socket_rtt_usec(STDIN_FILENO), 0);
    close(fd);
}

static void test_mark(void **state)
{
    (void)state;
    need_namespace();
    int fd = socket_stream(4);
    assert_true(socket_set_mark(fd, 0x75736865));
    assert_int_equal(int_option(fd, SOL_SOCKET, SO_MARK), 0x75736865);
    close(fd);
}

static void test_datagram_hears_of_refusal(void **state)
{
    (void)state;
    need_namespace();
    struct endpoint closed = at("127.0.0.1:9");
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&closed, &sa);
    int fd = socket_datagram(4);
    // Not connected: without IP_RECVERR the kernel would say nothing.
    assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, len), 1);
    assert_true(wait_for(fd, POLLIN));
    char room[64], control[512];
    struct iovec iov = {room, sizeof room};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    assert_int_equal(recvmsg(fd, &msg, MSG_ERRQUEUE), 1);
    struct cmsghdr *part = CMSG_FIRSTHDR(&msg);
    assert_non_null(part);
    assert_int_equal(part->cmsg_type, IP_RECVERR);
    assert_int_equal(((const struct sock_extended_err *)CMSG_DATA(part))->ee_errno, ECONNREFUSED);
    close(fd);
}

static void test_icmp4_filter(void **state)
{
    (void)state;
    need_namespace();
    int fd = socket_raw_icmp(4);
    assert_flags(fd);
    static const struct {
        uint8_t type;
        bool passes;
    } cases[] = {{ICMP_ECHOREPLY, true}, {ICMP_DEST_UNREACH, true}, {ICMP_TIME_EXCEEDED, true},
                 {ICMP_ECHO, false},     {ICMP_REDIRECT, false},    {ICMP_TIMESTAMP, false}};
    const struct sockaddr_in home = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sender = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct {
            struct iphdr ip;
            struct icmphdr icmp;
        } packet = {{.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_ICMP, .daddr = home.sin_addr.s_addr},
                    {.type = cases[i].type}};
        packet.icmp.checksum = (uint16_t)~packet.icmp.type;
        assert_true(sendto(sender, &packet, sizeof packet, 0, (const void *)&home, sizeof home) > 0);
        uint8_t got[256];
        ssize_t len = recv(fd, got, sizeof got, 0);
        if (cases[i].passes)
            assert_int_equal(got[20], cases[i].type);
        // A request that does not pass may bring its answer, which does.
        else
            assert_true(len < 0 || got[20] == ICMP_ECHOREPLY);
        while (recv(fd, got, sizeof got, 0) >= 0)
            ;
    }
    close(sender);
    close(fd);
}

static void test_icmp6_filter(void **state)
{
    (void)state;
    need_namespace();
    int fd = socket_raw_icmp(6);
    assert_flags(fd);
    struct icmp6_filter filter;
    socklen_t len = sizeof filter;
    assert_int_equal(getsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, &len), 0);
    assert_true(ICMP6_FILTER_WILLPASS(ICMP6_ECHO_REPLY, &filter));
    assert_true(ICMP6_FILTER_WILLPASS(ICMP6_DST_UNREACH, &filter));
    assert_true(ICMP6_FILTER_WILLPASS(ICMP6_TIME_EXCEEDED, &filter));
    assert_true(ICMP6_FILTER_WILLBLOCK(ICMP6_ECHO_REQUEST, &filter));
    assert_true(ICMP6_FILTER_WILLBLOCK(ND_NEIGHBOR_SOLICIT, &filter));
    assert_true(ICMP6_FILTER_WILLBLOCK(ND_ROUTER_ADVERT, &filter));
    close(fd);
}

static void test_may_bind(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        bool may;
    } cases[] = {{"127.0.0.1", true}, {"192.0.2.77", false}, {"2001:db8::77", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address addr;
        assert_true(address_parse(&addr, cases[i].addr));
        assert_int_equal(socket_may_bind(&addr), cases[i].may);
    }
}

// Or a later one.
static bool kernel_is(unsigned major, unsigned minor)
{
    struct utsname name;
    unsigned is = 0, at_least = 0;
    return uname(&name) == 0 && sscanf(name.release, "%u.%u", &is, &at_least) == 2 &&
           (is > major || (is == major && at_least >= minor));
}

// The system's are all there to connect from, and where the kernel lets itself be asked, one after the other.
static void test_every_port_is_used(void **state)
{
    enum { PORTS = 10 };
    (void)state;
    need_namespace();
    const char *path = "/proc/sys/net/ipv4/ip_local_port_range";
    unsigned low, high, odd = 0, range;
    socklen_t len = sizeof range;
    FILE *file = fopen(path, "r+");
    assert_int_equal(fscanf(file, "%u %u", &low, &high), 2);
    rewind(file);
    fprintf(file, "40000 %u\n", 40000 + PORTS - 1);
    fflush(file);
    struct fault fault;
    struct endpoint to = at("127.0.0.1:39999"), from;
    int listening = socket_listen(&to, PORTS, &fault), fds[PORTS + 1];
    for (size_t i = 0; i < PORTS; i++) {
        fds[i] = socket_stream(4);
        assert_true(socket_connect(fds[i], &to) >= 0 && socket_local(fds[i], &from));
        odd += i < PORTS / 2 && from.port % 2;
    }
    fds[PORTS] = socket_stream(4);
    assert_int_equal(socket_connect(fds[PORTS], &to), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    if (getsockopt(fds[0], IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, &len) == 0)
        assert_true(range == (UINT32_C(65535) << 16 | 1));
    if (kernel_is(6, 8))
        assert_in_range(odd, 1, PORTS / 2 - 1); // else every other one first
    for (size_t i = 0; i <= PORTS; i++)
        close(fds[i]);
    close(listening);
    rewind(file);
    fprintf(file, "%u %u\n", low, high);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_may_bind),
        cmocka_unit_test(test_every_port_is_used),
        cmocka_unit_test(test_listen_connect_names),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_v6_listener_leaves_v4_alone),
        cmocka_unit_test(test_listen_names_the_trouble),
        cmocka_unit_test(test_an_address_that_comes_later),
        cmocka_unit_test(test_refusal_and_no_route),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_datagram_hears_of_refusal),
        cmocka_unit_test(test_icmp4_filter),
        cmocka_unit_test(test_icmp6_filter),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
