// SPDX-License-Identifier: GPL-2.0-or-later
// The address that dial's sockets and pings come from, in a network namespace of its own: what the far end sees, and what
// the peer hears when this host does not have it, or has it no more.
#include "dial_rig.h"

#include <netinet/ip.h>
#include <sched.h>
#include <stdio.h>

static bool isolated;

static const struct far_end {
    uint16_t protocol;
    const char *host, *source;
} FAR_ENDS[] = {
    {USHER_TCP, "10.80.0.1", "10.73.0.7"},  {USHER_TCP, "fd80::1", "fd73::7"},
    {USHER_UDP, "10.80.0.1", "10.73.0.7"},  {USHER_UDP, "fd80::1", "fd73::7"},
    {USHER_ICMP, "10.80.0.1", "10.73.0.7"}, {USHER_ICMPV6, "fd80::1", "fd73::7"},
};

static bool run(const char *command)
{
    return system(command) == 0;
}

static void host_has_source(bool has)
{
    char command[128];
    const char *verb = has ? "add" : "del";
    snprintf(command, sizeof command, "ip address %s 10.73.0.7/32 dev lo && ip address %s fd73::7/128 dev lo%s", verb,
             verb, has ? " nodad" : "");
    assert_true(run(command));
}

static int enter(void **state)
{
    (void)state;
    isolated = unshare(CLONE_NEWNET) == 0 && run("ip link set lo up") &&
               run("ip address add 10.80.0.1/32 dev lo && ip address add fd80::1/128 dev lo nodad");
    return 0;
}

static struct rig *begin(struct dial_config *config)
{
    if (!isolated)
        skip(); // no privilege
    *config = (struct dial_config){.icmp4_fd = socket_raw_icmp(4), .icmp6_fd = socket_raw_icmp(6)};
    assert_true(config->icmp4_fd >= 0 && config->icmp6_fd >= 0);
    assert_true(address_parse(&config->source.v4, "10.73.0.7") && address_parse(&config->source.v6, "fd73::7"));
    return rig_new("0.0.0.0/0, ::/0, 10.80.0.1", *config);
}

static void end(struct rig *rig, const struct dial_config *config)
{
    rig_free(rig);
    close(config->icmp4_fd);
    close(config->icmp6_fd);
}

static void say(struct app *app, const struct far_end *far, uint16_t port)
{
    struct usher_datagram datagram = {.to.port = port, .bytes = (const uint8_t *)"hello", .len = 5};
    assert_true(address_parse(&datagram.from.addr, "10.1.0.2"));
    assert_true(address_parse(&datagram.to.addr, far->host));
    assert_true(usher_session_datagram(app->session, &datagram));
}

// A socket at the far end that hears what comes.
static int ear(const struct far_end *far, struct endpoint *at)
{
    if (far->protocol != USHER_ICMP && far->protocol != USHER_ICMPV6)
        return serve(far->host, far->protocol == USHER_TCP ? SOCK_STREAM : SOCK_DGRAM, at);
    bool six = far->protocol == USHER_ICMPV6;
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    assert_true(fd >= 0);
    *at = (struct endpoint){.port = 4711};
    return fd;
}

// Who an echo request or datagram has come from; false when there is none yet.
static bool hear(int fd, bool request, struct endpoint *from)
{
    uint8_t room[256];
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    ssize_t n;
    while ((n = recvfrom(fd, room, sizeof room, 0, (struct sockaddr *)&sa, &len)) > 0) {
        assert_true(endpoint_from_sockaddr(from, (struct sockaddr *)&sa));
        uint8_t type = from->addr.version == 4 ? room[sizeof(struct iphdr)] : room[0];
        if (!request || type == 8 || type == 128)
            return true;
    }
    return false;
}

static void the_far_end_sees_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(FAR_ENDS); i++) {
        const struct far_end *far = &FAR_ENDS[i];
        struct dial_config config;
        struct rig *rig = begin(&config);
        struct endpoint at, seen;
        struct app app;
        struct address source;
        host_has_source(true);
        int fd = ear(far, &at), taken = -1;
        app_open(rig, &app, far->protocol, far->host, at.port);
        pump(rig, app.opened);
        if (far->protocol == USHER_TCP) {
            pump(rig, (taken = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0);
            assert_true(socket_peer(taken, &seen));
            close(taken);
        } else {
            say(&app, far, at.port);
            pump(rig, hear(fd, far->protocol != USHER_UDP, &seen));
        }
        assert_true(address_parse(&source, far->source));
        CASE(far->host, address_equal(&seen.addr, &source));
        close(fd);
        host_has_source(false);
        end(rig, &config);
    }
}

static void without_it_the_far_end_is_unreachable(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(FAR_ENDS); i++) {
        const struct far_end *far = &FAR_ENDS[i];
        struct dial_config config;
        struct rig *rig = begin(&config);
        struct app app;
        char text[160];
        bool six = strchr(far->host, ':');
        app_open(rig, &app, far->protocol, far->host, 80);
        pump(rig, app.ended);
        snprintf(text, sizeof text, "net %s%s%s:80: this host does not have %s, which it is to come from",
                 six ? "[" : "", far->host, six ? "]" : "", far->source);
        CASE(app.text, app.word == USHER_UNREACHABLE && !strcmp(app.text, text));
        end(rig, &config);
    }
}

// Connections that stand, and those of UDP over IPv6, the kernel leaves to their own time-outs.
static void one_that_goes_away_is_missed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(FAR_ENDS); i++) {
        const struct far_end *far = &FAR_ENDS[i];
        if (far->protocol == USHER_TCP || (far->protocol == USHER_UDP && strchr(far->host, ':')))
            continue;
        struct dial_config config;
        struct rig *rig = begin(&config);
        struct app app;
        host_has_source(true);
        app_open(rig, &app, far->protocol, far->host, 80);
        pump(rig, app.opened);
        host_has_source(false);
        say(&app, far, 80);
        pump(rig, app.ended);
        CASE(app.text, app.word == USHER_UNREACHABLE && !strncmp(app.text, "net ", 4));
        end(rig, &config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_far_end_sees_it),
        cmocka_unit_test(without_it_the_far_end_is_unreachable),
        cmocka_unit_test(one_that_goes_away_is_missed),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
