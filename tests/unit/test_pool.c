// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses that stand for names, against a model that does the same by looking at everything; time is made up here.
#include "edge/names/pool.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE_MAX = 40 };

#define S USEC_PER_SEC
static const usec_t START = 1000 * USEC_PER_SEC;

// Flows that are open now.
static struct {
    struct pool *pool;
    struct address live[LIVE_MAX];
    size_t count;
    unsigned sweeps;
} rig;

static void sweep(void *owner, usec_t now)
{
    (void)owner;
    rig.sweeps++;
    for (size_t i = 0; i < rig.count; i++)
        pool_use(rig.pool, &rig.live[i], now);
}

static void begin(const char *prefix, const char *taken)
{
    struct address addr;
    struct pool_config config = {.key = {1, 2}, .sweep = sweep};
    assert_true(prefix_parse(&config.prefix, prefix));
    if (taken) {
        assert_true(address_parse(&addr, taken));
        config.taken = &addr;
        config.taken_count = 1;
    }
    memset(&rig, 0, sizeof rig);
    rig.pool = pool_new(&config);
}

static const char *give(const char *name, usec_t now)
{
    static char text[ADDRESS_TEXT_SIZE];
    struct address addr;
    return pool_address(rig.pool, name, &addr, now) ? address_text(&addr, text) : "none";
}

static const char *name_of(const char *text, usec_t now)
{
    struct address addr;
    assert_true(address_parse(&addr, text));
    const char *name = pool_name(rig.pool, &addr, now);
    return name ? name : "none";
}

static void bounds_of_each_network(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *taken, *first, *last;
        uint32_t size;
    } cases[] = {
        {"198.18.0.0/28", "198.18.0.1", "198.18.0.2", "198.18.0.14", 13},
        {"198.18.0.0/28", NULL, "198.18.0.1", "198.18.0.14", 14},
        {"198.18.0.0/28", "198.18.0.14", "198.18.0.1", "198.18.0.13", 13},
        {"198.18.0.0/28", "198.18.0.7", "198.18.0.1", "198.18.0.14", 13},
        {"198.18.0.0/28", "198.18.0.0", "198.18.0.1", "198.18.0.14", 14}, // nobody's anyway
        {"198.18.0.0/28", "10.0.0.1", "198.18.0.1", "198.18.0.14", 14},
        {"198.18.255.240/28", NULL, "198.18.255.241", "198.18.255.254", 14},
        {"198.18.0.0/16", "198.18.0.1", "198.18.0.2", "198.18.255.254", 65533},
        {"10.0.0.0/8", "10.0.0.1", "10.0.0.2", "10.1.0.1", POOL_MAX},
        {"fd75:7368:6572::/124", "fd75:7368:6572::1", "fd75:7368:6572::2", "fd75:7368:6572::e", 13},
        {"fd75:7368:6572::/112", "fd75:7368:6572::1", "fd75:7368:6572::2", "fd75:7368:6572::fffe", 65533},
        {"fd75::/16", "fd75::1", "fd75::2", "fd75::1:1", POOL_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char name[300], last[ADDRESS_TEXT_SIZE] = "";
        snprintf(name, sizeof name, "%s without %s", cases[i].prefix, cases[i].taken ? cases[i].taken : "any");
        begin(cases[i].prefix, cases[i].taken);
        CASE(name, pool_size(rig.pool) == cases[i].size);
        CASE(name, !strcmp(give("n0", START), cases[i].first));
        for (uint32_t n = 0; n < cases[i].size; n++) {
            char host[16];
            snprintf(host, sizeof host, "n%u", n);
            snprintf(last, sizeof last, "%s", give(host, START));
            CASE(name, strcmp(last, "none"));
            CASE(name, !cases[i].taken || strcmp(last, cases[i].taken));
        }
        CASE(name, !strcmp(last, cases[i].last));
        CASE(name, pool_count(rig.pool) == cases[i].size);
        CASE(name, !strcmp(give("one-too-many", START), "none"));
        CASE(name, !strcmp(give("n5", START), give("n5", START + S)));
        pool_free(rig.pool);
    }
}

static void what_stands_for_nothing(void **state)
{
    (void)state;
    static const char *const addrs[] = {"198.18.0.0", "198.18.0.1", "198.18.0.3", "198.18.255.255", "198.19.0.2",
                                        "0.0.0.0",    "198.17.0.2", "::1",        "::c612:2"};
    begin("198.18.0.0/16", "198.18.0.1");
    assert_string_equal(name_of("198.18.0.2", START), "none");
    assert_string_equal(give("web.corp.example", START), "198.18.0.2");
    assert_string_equal(name_of("198.18.0.2", START), "web.corp.example");
    for (size_t i = 0; i < COUNT(addrs); i++)
        CASE(addrs[i], !strcmp(name_of(addrs[i], START), "none"));
    pool_free(rig.pool);
    begin("fd75::/16", "fd75::1");
    assert_string_equal(give("web.corp.example", START), "fd75::2");
    assert_string_equal(name_of("fd75::2", START), "web.corp.example");
    assert_string_equal(name_of("fd75:1::2", START), "none"); // in the network, but given to nobody
    pool_free(rig.pool);
}

static void fill(unsigned count, usec_t now)
{
    for (unsigned i = 0; i < count; i++) {
        char host[16];
        snprintf(host, sizeof host, "n%u", i);
        assert_string_not_equal(give(host, now), "none");
    }
}

static void hold(const char *text)
{
    assert_true(address_parse(&rig.live[rig.count++], text));
}

static void the_longest_unused_is_taken(void **state)
{
    (void)state;
    begin("198.18.0.0/28", "198.18.0.1");
    fill(13, START); // .2 to .14
    give("n0", START + 5 * S);
    assert_string_equal(give("new", START + (POOL_GRACE_S - 1) * S), "none");
    assert_int_equal(rig.sweeps, 0);
    assert_string_equal(give("new", START + POOL_GRACE_S * S), "198.18.0.3");
    assert_string_equal(name_of("198.18.0.3", START + POOL_GRACE_S * S), "new");
    assert_string_equal(name_of("198.18.0.2", START + POOL_GRACE_S * S), "n0");
    assert_string_equal(give("n1", START + POOL_GRACE_S * S), "198.18.0.4"); // which it was is forgotten
    assert_int_equal(rig.sweeps, 1);
    pool_free(rig.pool);
}

// Neither a flow that has been open for days, nor one that began after the flows were looked at last.
static void what_flows_go_to_is_not_taken(void **state)
{
    (void)state;
    usec_t now = START;
    begin("198.18.0.0/28", "198.18.0.1");
    fill(13, now);
    hold("198.18.0.2");
    hold("198.18.0.4");
    now += POOL_GRACE_S * S;
    assert_string_equal(give("a", now), "198.18.0.3");
    assert_string_equal(give("b", now), "198.18.0.5");
    hold("198.18.0.6"); // just now, and it says so
    pool_use(rig.pool, &rig.live[2], now);
    assert_string_equal(give("c", now + S), "198.18.0.7");
    assert_int_equal(rig.sweeps, 1);
    for (unsigned i = 0; i < 7; i++) // .8 to .14
        assert_string_not_equal(give(i % 2 ? "even" : "odd", now + S), "none");
    now += 2 * POOL_KEEP_S * S;
    assert_string_equal(name_of("198.18.0.2", now), "n0"); // a day and more later, by the flow alone
    assert_string_equal(name_of("198.18.0.4", now), "n2");
    assert_string_equal(name_of("198.18.0.3", now), "none");
    rig.count = 0;
    assert_string_equal(name_of("198.18.0.2", now + S), "n0");
    now += POOL_KEEP_S * S;
    assert_string_equal(name_of("198.18.0.2", now), "none");
    pool_free(rig.pool);
}

static void everything_in_use(void **state)
{
    (void)state;
    usec_t now = START;
    begin("198.18.0.0/28", "198.18.0.1");
    fill(13, now);
    for (unsigned i = 2; i < 15; i++) {
        char text[20];
        snprintf(text, sizeof text, "198.18.0.%u", i);
        hold(text);
    }
    for (unsigned i = 0; i < 1000; i++, now += S)
        assert_string_equal(give("new", now), "none");
    assert_true(rig.sweeps > 0 && rig.sweeps <= 1000 / POOL_SWEEP_S); // not for every question
    assert_string_equal(give("n7", now), "198.18.0.9");
    pool_free(rig.pool);
}

static void kept_for_a_day(void **state)
{
    (void)state;
    begin("198.18.0.0/16", "198.18.0.1");
    give("web", START);
    assert_string_equal(name_of("198.18.0.2", START + (POOL_KEEP_S - 1) * S), "web");
    assert_string_equal(name_of("198.18.0.2", START + POOL_KEEP_S * S), "none");
    assert_string_equal(give("web", START + POOL_KEEP_S * S), "198.18.0.2"); // nobody else has got it
    assert_string_equal(name_of("198.18.0.2", START + POOL_KEEP_S * S), "web");
    pool_free(rig.pool);
}

// Against a model

enum { MODEL_NAMES = 60, MODEL_SIZE = 29, STEPS = 200000 };

static struct {
    bool has;
    uint32_t host;
    usec_t used; // asked for, or a flow began
    usec_t last; // that, or a flow ended
} model[MODEL_NAMES];

static uint32_t random_state = 12345;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static bool is_live(uint32_t host)
{
    for (size_t i = 0; i < rig.count; i++)
        if (rig.live[i].bytes[3] == host)
            return true;
    return false;
}

// What it gives must be the name's own, or free by all that the model knows.
static void check_given(unsigned name, uint32_t host, usec_t now)
{
    if (model[name].has) {
        assert_int_equal(model[name].host, host);
    } else {
        for (unsigned i = 0; i < MODEL_NAMES; i++) {
            if (!model[i].has || model[i].host != host)
                continue;
            assert_true(now >= model[i].used + POOL_GRACE_S * S);
            assert_false(is_live(host));
            model[i].has = false;
        }
        assert_true(host >= 2 && host <= 30);
    }
    model[name].has = true;
    model[name].host = host;
    model[name].used = model[name].last = now;
}

// It may only fail where the model finds nothing that has been unused for longer than flows go without being looked at.
static void check_none(unsigned name, usec_t now)
{
    unsigned count = 0;
    assert_false(model[name].has);
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        count += model[i].has;
        assert_true(!model[i].has || is_live(model[i].host) || now < model[i].last + (POOL_GRACE_S + POOL_SWEEP_S) * S);
    }
    assert_int_equal(count, MODEL_SIZE);
}

static void churn(void **state)
{
    (void)state;
    usec_t now = START;
    unsigned given = 0, none = 0, taken_over = 0;
    memset(model, 0, sizeof model);
    begin("198.18.0.0/27", "198.18.0.1");
    for (unsigned step = 0; step < STEPS; step++, now += draw(3) * S) {
        unsigned name = draw(MODEL_NAMES);
        char host[16];
        struct address addr;
        snprintf(host, sizeof host, "n%u", name);
        uint32_t what = draw(10);
        if (what < 5) {
            bool had = model[name].has;
            if (pool_address(rig.pool, host, &addr, now)) {
                check_given(name, addr.bytes[3], now);
                given++;
                taken_over += !had && pool_count(rig.pool) == MODEL_SIZE;
            } else {
                check_none(name, now);
                none++;
            }
        } else if (what < 8 && model[name].has) {
            addr = (struct address){.version = 4, .bytes = {198, 18, 0, (uint8_t)model[name].host}};
            const char *stands = pool_name(rig.pool, &addr, now);
            assert_non_null(stands);
            assert_string_equal(stands, host);
            if (rig.count < LIVE_MAX / 2) {
                pool_use(rig.pool, &addr, now);
                model[name].used = model[name].last = now;
                rig.live[rig.count++] = addr;
            }
        } else if (rig.count > 0) { // a flow ends
            size_t i = draw((uint32_t)rig.count);
            for (unsigned n = 0; n < MODEL_NAMES; n++)
                if (model[n].has && model[n].host == rig.live[i].bytes[3])
                    model[n].last = now;
            rig.live[i] = rig.live[--rig.count];
        }
    }
    assert_true(given > 1000 && none > 100 && taken_over > 100);
    pool_free(rig.pool);
}

static void ten_thousand(void **state)
{
    (void)state;
    begin("198.18.0.0/16", "198.18.0.1");
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 10000; i++) {
            char host[60], expected[20];
            snprintf(host, sizeof host, "host-%u.in.some.department.of.corp.example", i);
            snprintf(expected, sizeof expected, "198.18.%u.%u", (i + 2) / 256, (i + 2) % 256);
            assert_string_equal(give(host, START + round * 100 * S), expected);
            assert_string_equal(name_of(expected, START + round * 100 * S), host);
        }
    }
    assert_int_equal(pool_count(rig.pool), 10000);
    assert_int_equal(rig.sweeps, 0);
    pool_free(rig.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_of_each_network),
        cmocka_unit_test(what_stands_for_nothing),
        cmocka_unit_test(the_longest_unused_is_taken),
        cmocka_unit_test(what_flows_go_to_is_not_taken),
        cmocka_unit_test(everything_in_use),
        cmocka_unit_test(kept_for_a_day),
        cmocka_unit_test(churn),
        cmocka_unit_test(ten_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
