// SPDX-License-Identifier: GPL-2.0-or-later
// Far ends that cannot be reached, in a network namespace of its own: one network without a route and one where nobody
// answers ARP or neighbour solicitations. For TCP, UDP and pings of both IP versions the peer hears which it was.
#include "dial_rig.h"

#include <sched.h>
#include <stdio.h>

static bool isolated;

static bool run(const char *command)
{
    return system(command) == 0;
}

// 10.73.0.0/24 and fd73::/64 on a link with nobody at its other end; nothing else has a route.
static int enter(void **state)
{
    (void)state;
    isolated = unshare(CLONE_NEWNET) == 0 && run("ip link set lo up") &&
               run("ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up") &&
               run("ip address add 10.73.0.1/24 dev v0 && ip address add fd73::1/64 dev v0 nodad") &&
               run("echo 1 >/proc/sys/net/ipv4/neigh/v0/mcast_solicit") &&
               run("echo 1 >/proc/sys/net/ipv6/neigh/v0/mcast_solicit");
    return 0;
}

static void send_something(struct app *app, const char *to)
{
    struct usher_datagram datagram = {.from.port = 80, .to.port = 80, .bytes = (const uint8_t *)"x", .len = 1};
    assert_true(address_parse(&datagram.to.addr, to));
    if (app->session)
        assert_true(usher_session_datagram(app->session, &datagram));
}

static void every_protocol_says_what_is_unreachable(void **state)
{
    (void)state;
    static const struct {
        uint16_t protocol;
        const char *host;
        const char *text; // begins so
    } cases[] = {
        {USHER_TCP, "10.73.0.9", "host 10.73.0.9:80"},  {USHER_TCP, "fd73::9", "host [fd73::9]:80"},
        {USHER_TCP, "10.99.0.9", "net 10.99.0.9:80"},   {USHER_TCP, "fd99::9", "net [fd99::9]:80"},
        {USHER_UDP, "10.73.0.9", "host 10.73.0.9:80"},  {USHER_UDP, "fd73::9", "host [fd73::9]:80"},
        {USHER_UDP, "10.99.0.9", "net 10.99.0.9:80"},   {USHER_UDP, "fd99::9", "net [fd99::9]:80"},
        {USHER_ICMP, "10.73.0.9", "host 10.73.0.9:80"}, {USHER_ICMPV6, "fd73::9", "host [fd73::9]:80"},
        {USHER_ICMP, "10.99.0.9", "net 10.99.0.9:80"},  {USHER_ICMPV6, "fd99::9", "net [fd99::9]:80"},
    };
    struct dial_config config = {0};
    if (!isolated)
        skip(); // no privilege
    config.icmp4_fd = socket_raw_icmp(4);
    config.icmp6_fd = socket_raw_icmp(6);
    assert_true(config.icmp4_fd >= 0 && config.icmp6_fd >= 0);
    struct rig *rig = rig_new("0.0.0.0/0, ::/0", config);
    static struct app apps[COUNT(cases)];
    for (size_t i = 0; i < COUNT(cases); i++)
        app_open(rig, &apps[i], cases[i].protocol, cases[i].host, 80);
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (cases[i].protocol == USHER_TCP)
            continue;
        pump(rig, apps[i].opened || apps[i].ended);
        send_something(&apps[i], cases[i].host);
    }
    for (size_t i = 0; i < COUNT(cases); i++) {
        pump(rig, apps[i].ended);
        if (apps[i].word != USHER_UNREACHABLE || strncmp(apps[i].text, cases[i].text, strlen(cases[i].text)) != 0)
            fail_msg("protocol %u to %s: word %d, %s", cases[i].protocol, cases[i].host, apps[i].word, apps[i].text);
    }
    assert_int_equal(exchange_flows(rig->exchange), 0);
    rig_free(rig);
    close(config.icmp4_fd);
    close(config.icmp6_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_protocol_says_what_is_unreachable)};
    return cmocka_run_group_tests(tests, enter, NULL);
}
