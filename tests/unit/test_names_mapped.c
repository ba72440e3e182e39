// SPDX-License-Identifier: GPL-2.0-or-later
// Answers that are made up out of a pool, with the other end of the tunnel played here.
#include "edge/names/mapped.h"
#include "edge/names/pool.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUESTIONS = 16, PROBES = 8 };

// One that waits, in place of the resolver's own.
struct names_question {
    unsigned answers;
    enum dns_rcode rcode;
    char addr[ADDRESS_TEXT_SIZE], pointer[300];
    uint32_t ttl;
    struct names_question *next; // asks for `name` from within its answer
    const char *name;
    struct names_question *forgets; // another one, from within its answer
};

static struct rig {
    struct prober prober; // first
    struct probe *probes[PROBES];
    size_t probe_count, asked, cancelled;
    struct pool *ipv4, *ipv6;
    struct names_mapped *mapped;
    struct names_question questions[QUESTIONS];
} rig;

static void prober_ask(struct prober *prober, struct probe *probe)
{
    (void)prober;
    assert_true(rig.probe_count < PROBES);
    rig.probes[rig.probe_count++] = probe;
    rig.asked++;
}

static void take_off(const struct probe *probe)
{
    size_t i = 0;
    while (rig.probes[i] != probe)
        assert_true(++i < rig.probe_count);
    memmove(&rig.probes[i], &rig.probes[i + 1], (--rig.probe_count - i) * sizeof rig.probes[0]);
}

static void prober_cancel(struct prober *prober, struct probe *probe)
{
    (void)prober;
    take_off(probe);
    rig.cancelled++;
}

static void tell(const char *name, enum probe_status status, bool ipv4, bool ipv6, uint32_t ttl)
{
    for (size_t i = 0; i < rig.probe_count; i++) {
        struct probe *probe = rig.probes[i];
        if (strcmp(probe->name, name))
            continue;
        take_off(probe);
        probe->done(probe, &(struct probe_answer){.status = status, .ipv4 = ipv4, .ipv6 = ipv6, .ttl = ttl});
        return;
    }
    fail_msg("nobody asks for %s", name);
}

static void sweep(void *owner, usec_t now)
{
    (void)owner, (void)now;
}

static bool owns(const char *name, uint16_t type, uint16_t class)
{
    const struct dns_question question = {.type = type, .class = class};
    struct names_source *source = names_mapped_source(rig.mapped);
    return source->ops->owns(source, &question, name);
}

static struct names_question *ask(size_t number, const char *name, uint16_t type)
{
    const struct dns_question question = {.type = type, .class = DNS_IN};
    struct names_source *source = names_mapped_source(rig.mapped);
    source->ops->ask(source, &rig.questions[number], &question, name);
    return &rig.questions[number];
}

void names_answer(struct names_question *pending, const struct dns_answer *answer)
{
    pending->answers++;
    pending->rcode = answer->rcode;
    pending->ttl = answer->ttl;
    assert_true(answer->count <= 1);
    snprintf(pending->pointer, sizeof pending->pointer, "%s", answer->pointer ? answer->pointer : "");
    pending->addr[0] = '\0';
    if (answer->count)
        address_text(&answer->addrs[0], pending->addr);
    struct names_source *source = names_mapped_source(rig.mapped);
    if (pending->forgets)
        source->ops->forget(source, pending->forgets);
    if (pending->next)
        ask((size_t)(pending->next - rig.questions), pending->name, DNS_A);
}

static struct pool *make_pool(const char *text)
{
    struct pool_config config = {.key = {3, 4}, .sweep = sweep};
    assert_true(prefix_parse(&config.prefix, text));
    return pool_new(&config);
}

static void begin(const char *ipv4, const char *ipv6, bool has_servers)
{
    static const struct names_domain domains[] = {{.name = "corp.example", .search = true},
                                                  {.name = "10.in-addr.arpa"}};
    memset(&rig, 0, sizeof rig);
    rig.prober = (struct prober){.ask = prober_ask, .cancel = prober_cancel};
    rig.ipv4 = ipv4 ? make_pool(ipv4) : NULL;
    rig.ipv6 = ipv6 ? make_pool(ipv6) : NULL;
    const struct names_mapped_config config = {
        .prober = &rig.prober,
        .ipv4 = rig.ipv4,
        .ipv6 = rig.ipv6,
        .domains = domains,
        .domain_count = COUNT(domains),
        .has_servers = has_servers,
    };
    rig.mapped = names_mapped_new(&config);
}

static void finish(void)
{
    assert_int_equal(rig.probe_count, 0);
    names_mapped_free(rig.mapped);
    pool_free(rig.ipv4);
    pool_free(rig.ipv6);
}

#define POOL4 "198.18.0.0/28"
#define POOL6 "fd75::/124"

static void whose_the_answer_is(void **state)
{
    (void)state;
    enum { MX = 15, HTTPS = 65, CHAOS = 3 };
    static const struct {
        const char *name;
        uint16_t type, class;
        bool alone, with_servers;
    } cases[] = {
        {"web.corp.example", DNS_A, DNS_IN, true, true},
        {"corp.example", DNS_AAAA, DNS_IN, true, true},
        {"web.corp.example", DNS_ANY, DNS_IN, true, true},
        {"web.corp.example", HTTPS, DNS_IN, true, true},
        {"web.corp.example", MX, DNS_IN, true, false},   // the servers know that
        {"web.corp.example", DNS_A, CHAOS, true, false}, // never asked of others
        {"web.corp.example", DNS_AXFR, DNS_IN, true, false},
        {"2.0.73.10.in-addr.arpa", DNS_PTR, DNS_IN, true, false},
        {"2.0.18.198.in-addr.arpa", DNS_PTR, DNS_IN, true, true},
        {"2.0.18.198.in-addr.arpa", MX, DNS_IN, true, true},
        {"16.0.18.198.in-addr.arpa", DNS_PTR, DNS_IN, false, false}, // beside the pool
        {"2.0.18.198.in-addr.arpa", DNS_PTR, CHAOS, false, false},
        {"0.18.198.in-addr.arpa", DNS_PTR, DNS_IN, false, false},
        {"web.other.example", DNS_A, DNS_IN, false, false},
        {"webcorp.example", DNS_A, DNS_IN, false, false},
        {"example", DNS_A, DNS_IN, false, false},
        {"", DNS_A, DNS_IN, false, false},
    };
    for (int servers = 0; servers < 2; servers++) {
        begin(POOL4, POOL6, servers);
        for (size_t i = 0; i < COUNT(cases); i++)
            CASE(cases[i].name, owns(cases[i].name, cases[i].type, cases[i].class) ==
                                    (servers ? cases[i].with_servers : cases[i].alone));
        finish();
    }
}

static void what_is_answered(void **state)
{
    (void)state;
    enum { TXT = 16 };
    static const struct {
        const char *name;
        uint16_t type;
        enum probe_status status;
        bool ipv4, ipv6;
        uint32_t ttl;
        enum dns_rcode rcode;
        const char *addr;
        uint32_t told;
    } cases[] = {
        {"both, A", DNS_A, PROBE_EXISTS, true, true, 300, DNS_NOERROR, "198.18.0.1", 60},
        {"both, AAAA", DNS_AAAA, PROBE_EXISTS, true, true, 7, DNS_NOERROR, "fd75::1", 7},
        {"no time at all", DNS_A, PROBE_EXISTS, true, true, 0, DNS_NOERROR, "198.18.0.1", 0},
        {"IPv4 only, AAAA", DNS_AAAA, PROBE_EXISTS, true, false, 300, DNS_NOERROR, "", 0},
        {"IPv6 only, A", DNS_A, PROBE_EXISTS, false, true, 300, DNS_NOERROR, "", 0},
        {"no address", DNS_A, PROBE_EXISTS, false, false, 300, DNS_NOERROR, "", 0},
        {"TXT", TXT, PROBE_EXISTS, true, true, 300, DNS_NOERROR, "", 0},
        {"no such name", DNS_A, PROBE_NO_NAME, false, false, 10, DNS_NXDOMAIN, "", 0},
        {"no such name, TXT", TXT, PROBE_NO_NAME, false, false, 10, DNS_NXDOMAIN, "", 0},
        {"denied", DNS_A, PROBE_DENIED, false, false, 10, DNS_REFUSED, "", 0},
        {"failed", DNS_AAAA, PROBE_FAILED, false, false, 0, DNS_SERVFAIL, "", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(POOL4, POOL6, false);
        struct names_question *question = ask(0, "web.corp.example", cases[i].type);
        CASE(cases[i].name, question->answers == 0);
        tell("web.corp.example", cases[i].status, cases[i].ipv4, cases[i].ipv6, cases[i].ttl);
        CASE(cases[i].name, question->answers == 1 && question->rcode == cases[i].rcode);
        CASE(cases[i].name, !strcmp(question->addr, cases[i].addr));
        CASE(cases[i].name, !*cases[i].addr || question->ttl == cases[i].told);
        CASE(cases[i].name, pool_count(rig.ipv4) + pool_count(rig.ipv6) == !!*cases[i].addr);
        finish();
    }
}

static void without_asking(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
        enum dns_rcode rcode;
    } cases[] = {
        {"bad\\032name.corp.example", DNS_A, DNS_NXDOMAIN},
        {"-.corp.example", DNS_AAAA, DNS_NXDOMAIN},
        {"corp.example", DNS_AXFR, DNS_REFUSED},
        {"corp.example", DNS_IXFR, DNS_REFUSED},
        {"9.0.18.198.in-addr.arpa", DNS_PTR, DNS_NXDOMAIN},
    };
    begin(POOL4, POOL6, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct names_question *question = ask(i, cases[i].name, cases[i].type);
        CASE(cases[i].name, question->answers == 1 && question->rcode == cases[i].rcode && !*question->addr);
    }
    assert_int_equal(rig.asked, 0);
    finish();
}

static void one_pool_only(void **state)
{
    (void)state;
    begin(POOL4, NULL, false);
    ask(0, "web.corp.example", DNS_A);
    ask(1, "web.corp.example", DNS_AAAA);
    assert_int_equal(rig.asked, 1); // both wait for one
    tell("web.corp.example", PROBE_EXISTS, true, true, 60);
    assert_string_equal(rig.questions[0].addr, "198.18.0.1");
    assert_true(rig.questions[1].answers == 1 && rig.questions[1].rcode == DNS_NOERROR && !*rig.questions[1].addr);
    finish();
}

static void pointers(void **state)
{
    (void)state;
    enum { TXT = 16 };
    begin(POOL4, POOL6, false);
    ask(0, "web.corp.example", DNS_A);
    ask(1, "web.corp.example", DNS_AAAA);
    tell("web.corp.example", PROBE_EXISTS, true, true, 60);
    assert_string_equal(ask(2, "1.0.18.198.in-addr.arpa", DNS_PTR)->pointer, "web.corp.example");
    assert_string_equal(
        ask(3, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.7.d.f.ip6.arpa", DNS_PTR)->pointer,
        "web.corp.example");
    struct names_question *other = ask(4, "1.0.18.198.in-addr.arpa", TXT);
    assert_true(other->rcode == DNS_NOERROR && !*other->pointer);
    finish();
}

static void exhaustion(void **state)
{
    (void)state;
    begin(POOL4, POOL6, false);
    for (unsigned i = 0; i < 15; i++) { // 14 have room
        char name[40];
        snprintf(name, sizeof name, "n%u.corp.example", i);
        ask(i, name, DNS_A);
        tell(name, PROBE_EXISTS, true, true, 60);
        assert_int_equal(rig.questions[i].rcode, i < 14 ? DNS_NOERROR : DNS_SERVFAIL);
    }
    assert_string_equal(rig.questions[14].addr, "");
    ask(15, "n3.corp.example", DNS_A);
    tell("n3.corp.example", PROBE_EXISTS, true, true, 60);
    assert_string_equal(rig.questions[15].addr, rig.questions[3].addr);
    finish();
}

static void nobody_waits_any_more(void **state)
{
    (void)state;
    begin(POOL4, POOL6, false);
    struct names_source *source = names_mapped_source(rig.mapped);
    ask(0, "a.corp.example", DNS_A);
    ask(1, "a.corp.example", DNS_AAAA);
    ask(2, "b.corp.example", DNS_A);
    source->ops->forget(source, &rig.questions[0]);
    assert_int_equal(rig.cancelled, 0);
    tell("a.corp.example", PROBE_NO_NAME, false, false, 10);
    assert_true(rig.questions[0].answers == 0 && rig.questions[1].answers == 1);
    source->ops->forget(source, &rig.questions[2]);
    assert_int_equal(rig.cancelled, 1);
    finish();
}

static void asked_again_from_within(void **state)
{
    (void)state;
    begin(POOL4, POOL6, false);
    rig.questions[0].next = &rig.questions[2];
    rig.questions[0].name = "a.corp.example";
    ask(0, "a.corp.example", DNS_A);
    ask(1, "a.corp.example", DNS_AAAA);
    tell("a.corp.example", PROBE_EXISTS, true, true, 60);
    assert_true(rig.questions[1].answers == 1 && rig.questions[2].answers == 0);
    assert_int_equal(rig.asked, 2);
    tell("a.corp.example", PROBE_EXISTS, true, true, 60);
    assert_string_equal(rig.questions[2].addr, rig.questions[0].addr);
    finish();
}

static void forgotten_from_within(void **state)
{
    (void)state;
    begin(POOL4, POOL6, false);
    rig.questions[0].forgets = &rig.questions[1];
    ask(0, "a.corp.example", DNS_A);
    ask(1, "a.corp.example", DNS_AAAA);
    ask(2, "b.corp.example", DNS_A);
    tell("a.corp.example", PROBE_EXISTS, true, true, 60);
    assert_true(rig.questions[0].answers == 1 && rig.questions[1].answers == 0);
    assert_int_equal(rig.cancelled, 0);
    rig.questions[2].forgets = &rig.questions[2]; // which is gone
    tell("b.corp.example", PROBE_EXISTS, true, true, 60);
    assert_int_equal(rig.questions[2].answers, 1);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_the_answer_is),
        cmocka_unit_test(what_is_answered),
        cmocka_unit_test(without_asking),
        cmocka_unit_test(one_pool_only),
        cmocka_unit_test(pointers),
        cmocka_unit_test(exhaustion),
        cmocka_unit_test(nobody_waits_any_more),
        cmocka_unit_test(asked_again_from_within),
        cmocka_unit_test(forgotten_from_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
