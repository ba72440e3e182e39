// SPDX-License-Identifier: GPL-2.0-or-later
// A real device in a network namespace of our own, with the kernel as the other end.
#include "base/address.h"
#include "os/netlink/netlink.h"
#include "os/tun/tun.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool alone;

static int enter(void **state)
{
    (void)state;
    alone = unshare(CLONE_NEWNET) == 0;
    return 0;
}

static void need_namespace(void)
{
    struct tun tun;
    struct fault fault;
    if (alone && tun_open(&tun, "probe0", &fault)) {
        tun_close(&tun);
        return;
    }
    print_message("%s\n", alone ? fault.text : "no permission for a network namespace");
    skip();
}

static struct endpoint at(const char *text)
{
    struct endpoint ep;
    assert_true(endpoint_parse(&ep, text));
    return ep;
}

// A device with 10.9.0.1/32 on it and a route to the rest of 10.9.0.0/24.
static void open_up(struct tun *tun)
{
    struct fault fault = {""};
    struct prefix own;
    struct netlink_route route = {.table = 254};
    assert_true(prefix_parse(&own, "10.9.0.1") && prefix_parse(&route.to, "10.9.0.0/24"));
    assert_true(tun_open(tun, "ut0", &fault));
    route.ifindex = tun->index;
    struct netlink *nl = netlink_new(&fault);
    assert_non_null(nl);
    if (!netlink_link_up(nl, tun->index, 1500, 500, &fault) || !netlink_address_add(nl, tun->index, &own, &fault) ||
        !netlink_route_add(nl, &route, &fault))
        fail_msg("%s", fault.text);
    netlink_free(nl);
}

static int bound(const char *text)
{
    struct endpoint ep = at(text);
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&ep, &sa);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

static void a_device_comes_and_goes_with_its_descriptor(void **state)
{
    (void)state;
    need_namespace();
    struct tun tun;
    struct fault fault;
    assert_true(tun_open(&tun, "ut0", &fault));
    assert_string_equal(tun.name, "ut0");
    assert_true(tun.index > 0);
    assert_int_equal(if_nametoindex("ut0"), tun.index);
    struct virtio_net_hdr vnet;
    uint8_t room[64];
    assert_int_equal(tun_read(&tun, &vnet, room, sizeof(room)), -1); // does not wait
    assert_true(errno == EAGAIN || errno == EIO);                    // EIO: not up yet
    tun_close(&tun);
    assert_int_equal(tun.fd, -1);
    assert_int_equal(if_nametoindex("ut0"), 0);
    tun_close(&tun); // harmless
    assert_true(tun_open(&tun, "ut0", &fault));
    tun_close(&tun);
}

static void a_deleted_device_is_made_again_behind_its_descriptor(void **state)
{
    (void)state;
    need_namespace();
    struct tun tun;
    struct fault fault = {""};
    struct virtio_net_hdr vnet;
    uint8_t room[64];
    assert_true(tun_open(&tun, "ut0", &fault));
    assert_false(tun_make_again(&tun, &fault)); // it is there
    for (int i = 0; i < 3; i++) {
        int fd = tun.fd;
        assert_int_equal(system("ip link del ut0"), 0);
        assert_int_equal(tun_read(&tun, &vnet, room, sizeof(room)), -1);
        assert_int_equal(errno, EBADFD);
        if (!tun_make_again(&tun, &fault))
            fail_msg("%s", fault.text);
        assert_int_equal(tun.fd, fd);
        assert_int_equal(if_nametoindex("ut0"), tun.index);
        assert_int_equal(tun_read(&tun, &vnet, room, sizeof(room)), -1);
        assert_true(errno == EAGAIN || errno == EIO);
    }
    tun_close(&tun);
}

static void what_the_kernel_sends_is_read(void **state)
{
    (void)state;
    need_namespace();
    struct tun tun;
    open_up(&tun);
    int fd = bound("10.9.0.1:7000");
    struct endpoint to = at("10.9.0.77:53");
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&to, &sa);
    assert_int_equal(sendto(fd, "question", 8, 0, (struct sockaddr *)&sa, len), 8);

    struct virtio_net_hdr vnet;
    uint8_t room[2048];
    ssize_t got;
    do // the kernel may have had words of its own before (router solicitations)
        got = tun_read(&tun, &vnet, room, sizeof(room));
    while (got > 0 && room[0] >> 4 != 4);
    assert_int_equal(got, 20 + 8 + 8);
    assert_memory_equal(room + 28, "question", 8);
    assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    // With offload the kernel leaves the checksum to us and says where it goes.
    assert_int_equal(vnet.flags, tun.offload ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0);
    if (tun.offload) {
        assert_int_equal(vnet.csum_start, 20);
        assert_int_equal(vnet.csum_offset, offsetof(struct udphdr, check));
    }
    close(fd);
    tun_close(&tun);
}

static uint16_t ip_checksum(const void *bytes, size_t len)
{
    uint32_t sum = 0;
    for (const uint16_t *at = bytes; len > 1; len -= 2)
        sum += *at++;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void what_is_written_in_parts_arrives_whole(void **state)
{
    (void)state;
    need_namespace();
    struct tun tun;
    open_up(&tun);
    int fd = bound("10.9.0.1:7000");

    struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(34)};
    ip.saddr = inet_addr("10.9.0.77");
    ip.daddr = inet_addr("10.9.0.1");
    ip.check = ip_checksum(&ip, sizeof(ip));
    struct udphdr udp = {.source = htons(53), .dest = htons(7000), .len = htons(14)}; // no checksum: 0
    char body[] = "answer";
    struct iovec parts[] = {{&ip, sizeof(ip)}, {&udp, sizeof(udp)}, {body, 2}, {body + 2, 4}};
    const struct virtio_net_hdr plain = {0};
    assert_true(tun_write(&tun, &plain, parts, 4));

    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&wanted, 1, 2000), 1);
    char room[32] = "";
    assert_int_equal(recv(fd, room, sizeof(room), 0), 6);
    assert_string_equal(room, "answer");
    close(fd);
    tun_close(&tun);
}

static void too_many_parts_are_refused(void **state)
{
    (void)state;
    need_namespace();
    struct tun tun;
    open_up(&tun);
    static uint8_t bytes[TUN_PARTS_MAX + 1] = {0x45, [3] = TUN_PARTS_MAX};
    struct iovec parts[TUN_PARTS_MAX + 1];
    for (int i = 0; i <= TUN_PARTS_MAX; i++)
        parts[i] = (struct iovec){bytes + i, 1};
    const struct virtio_net_hdr plain = {0};
    assert_true(tun_write(&tun, &plain, parts, TUN_PARTS_MAX));
    assert_false(tun_write(&tun, &plain, parts, TUN_PARTS_MAX + 1));
    assert_int_equal(errno, EMSGSIZE);
    tun_close(&tun);
}

static void names_are_judged_before_the_kernel_sees_them(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "a/b", "ut%d", "a b", "a:1", "sixteen-letters-", "a\nb"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tun tun;
        struct fault fault = {""};
        CASE(bad[i], !tun_open(&tun, bad[i], &fault));
        CASE(bad[i], strstr(fault.text, "not a name for an interface"));
        CASE(bad[i], tun.fd == -1);
    }
}

static void a_name_that_is_taken_is_not_adopted(void **state)
{
    (void)state;
    need_namespace();
    struct tun first, second;
    struct fault fault = {""};
    assert_true(tun_open(&first, "ut0", &fault));
    assert_false(tun_open(&second, "ut0", &fault));
    assert_non_null(strstr(fault.text, "tun ut0: another program has a device of this name"));
    assert_false(tun_open(&second, "lo", &fault));
    assert_non_null(strstr(fault.text, "that is no TUN device"));
    tun_close(&first);
}

static void without_permission_the_sentence_says_what_to_do(void **state)
{
    (void)state;
    need_namespace();
    pid_t child = fork();
    if (child == 0) {
        struct tun tun;
        struct fault fault = {""};
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(3);
        _exit(tun_open(&tun, "ut0", &fault) ? 1 : strstr(fault.text, "run as root") ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_comes_and_goes_with_its_descriptor),
        cmocka_unit_test(a_deleted_device_is_made_again_behind_its_descriptor),
        cmocka_unit_test(what_the_kernel_sends_is_read),
        cmocka_unit_test(what_is_written_in_parts_arrives_whole),
        cmocka_unit_test(too_many_parts_are_refused),
        cmocka_unit_test(names_are_judged_before_the_kernel_sees_them),
        cmocka_unit_test(a_name_that_is_taken_is_not_adopted),
        cmocka_unit_test(without_permission_the_sentence_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
