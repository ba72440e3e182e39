// SPDX-License-Identifier: GPL-2.0-or-later
// What goes to an address of a pool is opened by its name; and what is open there, or waits to be, keeps it.
#include "exchange/pools.h"

#include "exchange/guides.h"
#include "os/clock.h"

#include "unit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { FLOWS = 2 };

static struct bench {
    struct edge edge; // first
    uv_loop_t loop;
    struct exchange *exchange;
    struct pools *pools;
    struct endpoint live[FLOWS]; // far ends of flows that are open; version 0: none
    char host[FLOWS][40];
    struct opening opening;
    bool refused;
    enum usher_word word;
} bench;

static void want(const struct opening *opening, struct want *out)
{
    (void)opening;
    *out = (struct want){.open = {.protocol = USHER_TCP, .addr = bench.live[0].addr, .port = 80}};
}

static void placed(struct opening *opening)
{
    (void)opening;
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    (void)opening;
    bench.refused = true;
    bench.word = word;
    assert_string_equal(text, "host: nobody has that address");
}

static uint32_t flows(const struct edge *edge)
{
    (void)edge;
    return 0;
}

static void each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now)
{
    (void)edge, (void)now;
    for (size_t i = 0; i < FLOWS; i++) {
        const struct flow_info info = {
            .protocol = IPPROTO_TCP, .outside = bench.live[i], .host = *bench.host[i] ? bench.host[i] : NULL};
        visit(arg, &info);
    }
}

static void stop(struct edge *edge)
{
    (void)edge;
}

static void wake(void *owner)
{
    (void)owner;
}

static const struct edge_kind KIND = {.name = "edge",
                                      .want = want,
                                      .placed = placed,
                                      .refused = refused,
                                      .flows = flows,
                                      .each_flow = each_flow,
                                      .stop = stop};

static int set_up(void **state)
{
    (void)state;
    struct prefix prefixes[2];
    struct address taken[2];
    memset(&bench, 0, sizeof bench);
    assert_int_equal(uv_loop_init(&bench.loop), 0);
    assert_true(prefix_parse(&prefixes[0], "198.18.0.0/28") && prefix_parse(&prefixes[1], "fd75::/124"));
    assert_true(address_parse(&taken[0], "198.18.0.1") && address_parse(&taken[1], "fd75::1"));
    const struct exchange_config config = {.hold_ms = 5000, .wake = wake};
    bench.exchange = exchange_new(&bench.loop, &config);
    bench.edge.kind = &KIND;
    list_init(&bench.opening.timed.node);
    exchange_add(bench.exchange, &bench.edge);
    bench.pools = pools_new(bench.exchange, prefixes, 2, taken, 2);
    exchange_add_guide(bench.exchange, pools_guide(bench.pools));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    exchange_free(bench.exchange);
    pools_free(bench.pools);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench.loop), 0);
    return 0;
}

static struct address addr_of(const char *text)
{
    struct address addr;
    assert_true(address_parse(&addr, text));
    return addr;
}

static enum guide_answer lead(struct usher_open *open)
{
    const struct guide *guide = pools_guide(bench.pools);
    return guide->lead(guide, open);
}

static void what_is_led(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *host;
        enum guide_answer answer;
        const char *name;
    } cases[] = {
        {"198.18.0.2", "", GUIDE_LEADS, "web.corp.example"},
        {"fd75::2", "", GUIDE_LEADS, "six.corp.example"},
        {"198.18.0.3", "", GUIDE_NOBODY, NULL},
        {"198.18.0.0", "", GUIDE_NOBODY, NULL},
        {"198.18.0.1", "", GUIDE_NOBODY, NULL}, // if the guide before has not known it
        {"198.18.0.15", "", GUIDE_NOBODY, NULL},
        {"fd75::f", "", GUIDE_NOBODY, NULL},
        {"198.18.0.16", "", GUIDE_NOT_MINE, NULL},
        {"10.0.0.1", "", GUIDE_NOT_MINE, NULL},
        {"fd75::10", "", GUIDE_NOT_MINE, NULL},
        {NULL, "web.corp.example", GUIDE_NOT_MINE, NULL}, // a name needs nobody's help
    };
    struct address addr;
    assert_true(pool_address(pools_get(bench.pools, 4), "web.corp.example", &addr, clock_now()));
    assert_true(pool_address(pools_get(bench.pools, 6), "six.corp.example", &addr, clock_now()));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = cases[i].addr ? cases[i].addr : cases[i].host;
        struct usher_open open = {.protocol = USHER_UDP, .port = 53};
        if (cases[i].addr)
            open.addr = addr_of(cases[i].addr);
        strcpy(open.host, cases[i].host);
        const struct usher_open before = open;
        CASE(name, lead(&open) == cases[i].answer);
        CASE(name, cases[i].name || !memcmp(&open, &before, sizeof open));
        CASE(name, !cases[i].name || (!strcmp(open.host, cases[i].name) && open.addr.version == 0));
        CASE(name, open.port == 53 && open.protocol == USHER_UDP);
    }
}

static void nobody_is_unreachable(void **state)
{
    (void)state;
    bench.live[0].addr = addr_of("198.18.0.9");
    edge_open(&bench.edge, &bench.opening);
    exchange_after_pull(bench.exchange, false, clock_now());
    assert_true(bench.refused && bench.word == USHER_UNREACHABLE);
}

static unsigned seen;

static void see(void *arg, const struct flow_info *info)
{
    (void)arg;
    if (info->led)
        seen += !strcmp(info->led->host, "n2") || !strcmp(info->led->host, "n3");
}

// The times are in the past: what the flows use is used now.
static void flows_keep_their_addresses(void **state)
{
    (void)state;
    struct pool *pool = pools_get(bench.pools, 4);
    usec_t then = clock_now() - POOL_GRACE_S * USEC_PER_SEC;
    struct address addr;
    for (unsigned i = 2; i < 15; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", i);
        assert_true(pool_address(pool, name, &addr, then));
    }
    bench.live[0].addr = addr_of("198.18.0.2");
    strcpy(bench.host[1], "198.18.0.3"); // as text
    assert_true(pool_address(pool, "new", &addr, clock_now()));
    assert_int_equal(addr.bytes[3], 4);
    exchange_each_flow(bench.exchange, see, NULL, clock_now());
    assert_int_equal(seen, 2);
}

// What is led says that the address is used, also between two looks at the flows.
static void an_opening_keeps_its_address(void **state)
{
    (void)state;
    struct pool *pool = pools_get(bench.pools, 4);
    usec_t then = clock_now() - POOL_GRACE_S * USEC_PER_SEC;
    struct address addr;
    for (unsigned i = 2; i < 15; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", i);
        assert_true(pool_address(pool, name, &addr, then));
    }
    assert_true(pool_address(pool, "first", &addr, clock_now())); // with a look
    assert_int_equal(addr.bytes[3], 2);
    struct usher_open open = {.protocol = USHER_TCP, .addr = addr_of("198.18.0.3")};
    assert_int_equal(lead(&open), GUIDE_LEADS);
    assert_true(pool_address(pool, "second", &addr, clock_now()));
    assert_int_equal(addr.bytes[3], 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_led),
        TEST(nobody_is_unreachable),
        TEST(flows_keep_their_addresses),
        TEST(an_opening_keeps_its_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
