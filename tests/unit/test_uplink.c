// SPDX-License-Identifier: GPL-2.0-or-later
// Two ways out of a network namespace of our own, a TUN device and loopback.
#include "os/netlink/uplink.h"

#include "os/tun/tun.h"
#include "unit.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static bool alone;
static struct netlink *nl;
static struct tun tun;

static void ip(const char *what)
{
    char command[128];
    snprintf(command, sizeof command, "ip %s", what);
    if (system(command))
        fail_msg("%s", command);
}

static int enter(void **state)
{
    (void)state;
    struct fault fault;
    if (unshare(CLONE_NEWNET) < 0)
        return 0;
    nl = netlink_new(&fault);
    alone = nl && tun_open(&tun, "up0", &fault) && netlink_link_up(nl, tun.index, 1400, 100, &fault);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tun_close(&tun);
    netlink_free(nl);
    return 0;
}

static void the_ways_that_there_are(void **state)
{
    (void)state;
    unsigned found[NETLINK_UPLINKS_MAX];
    struct address local;
    if (!alone) {
        print_message("no permission for a network namespace, or no /dev/net/tun\n");
        skip();
    }
    unsigned lo = if_nametoindex("lo");
    assert_true(address_parse(&local, "10.99.0.2"));
    ip("link set lo up");
    ip("address add 10.99.0.2/24 dev up0");
    assert_int_equal(netlink_uplinks(nl, 4, found, NETLINK_UPLINKS_MAX), 0);
    ip("route add default dev up0 metric 100");
    ip("route add default dev lo metric 200");
    ip("route add default dev up0 metric 300");
    ip("route add 10.98.0.0/24 dev lo metric 50");
    ip("route add default dev lo table 99");
    ip("-6 route add default dev lo metric 50");
    assert_int_equal(netlink_uplinks(nl, 4, found, NETLINK_UPLINKS_MAX), 2);
    assert_true(found[0] == tun.index && found[1] == lo);
    assert_int_equal(netlink_uplinks(nl, 4, found, 1), 1);
    assert_int_equal(found[0], tun.index);
    assert_int_equal(netlink_uplinks(nl, 6, found, NETLINK_UPLINKS_MAX), 1);
    assert_int_equal(found[0], lo);

    assert_false(uplink_is_cut_off(nl, &local));
    ip("link set up0 down");
    assert_true(uplink_is_cut_off(nl, &local));
    ip("route del default dev lo metric 200");
    assert_false(uplink_is_cut_off(nl, &local)); // nowhere else to go
    assert_true(address_parse(&local, "10.99.0.3"));
    assert_false(uplink_is_cut_off(nl, &local)); // nobody's
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_ways_that_there_are)};
    return cmocka_run_group_tests(tests, enter, leave);
}
