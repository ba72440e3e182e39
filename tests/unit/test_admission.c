// SPDX-License-Identifier: GPL-2.0-or-later
// Caps on connections that have not proved who they are, and what a crash costs.
#include "cli/facts_json.h"
#include "gate/supervisor/admission.h"
#include "gate/supervisor/sources.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct address addr(const char *text)
{
    struct address out;
    assert_true(address_parse(&out, text));
    return out;
}

static struct address nth(unsigned n)
{
    char text[32];
    snprintf(text, sizeof(text), "10.%u.%u.1", n / 256, n % 256);
    return addr(text);
}

// NULL: refused, or another had to go, which `gone` then has.
static void *gone;

static struct ticket *enter(struct admission *admission, struct address source, usec_t now)
{
    const char *why;
    struct ticket *ticket = admission_enter(admission, &source, now, &gone, &why);
    assert_true(!ticket == (why != NULL));
    if (ticket)
        admission_owned(ticket, ticket);
    return ticket;
}

static bool is_admitted(struct admission *admission, struct address source, usec_t now)
{
    struct ticket *ticket = enter(admission, source, now);
    if (ticket)
        admission_leave(admission, ticket, now);
    return ticket;
}

static void make_known(struct admission *admission, struct address source, usec_t now)
{
    struct ticket *ticket = enter(admission, source, now);
    assert_non_null(ticket);
    admission_proved(admission, ticket, now);
    admission_leave(admission, ticket, now);
}

// A portal whose connection comes from elsewhere now makes that source known, and is counted there.
static void test_moved(void **state)
{
    (void)state;
    struct admission *admission = admission_new(4, 4);
    struct address home = addr("192.0.2.1"), hotel = addr("198.51.100.1");
    struct ticket *portal = enter(admission, home, 0), *strangers[3];
    admission_proved(admission, portal, 0);
    for (int i = 0; i < 3; i++)
        assert_non_null(strangers[i] = enter(admission, nth((unsigned)i), 0));
    assert_null(enter(admission, hotel, 1)); // the last place is for known ones
    admission_moved(admission, portal, &hotel, 2);
    admission_moved(admission, portal, &hotel, 3); // it is there already
    assert_true(is_admitted(admission, hotel, 4) && is_admitted(admission, home, 4));
    admission_leave(admission, portal, 5);
    assert_true(is_admitted(admission, hotel, 6));
    for (int i = 0; i < 3; i++)
        admission_leave(admission, strangers[i], 7);
    admission_free(admission);
}

static void test_cap_per_source(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 8);
    struct address a = addr("192.0.2.1"), b = addr("192.0.2.2");
    struct ticket *tickets[9];
    for (int i = 0; i < 8; i++)
        assert_non_null(tickets[i] = enter(admission, a, (usec_t)i));
    assert_null(enter(admission, a, 9));
    assert_true(is_admitted(admission, b, 9));
    // After a while the oldest gives way: a site with a silent neighbour gets in.
    assert_non_null(tickets[8] = enter(admission, a, ADMISSION_GRACE_MS * USEC_PER_MSEC));
    assert_ptr_equal(gone, tickets[0]);
    assert_null(enter(admission, a, ADMISSION_GRACE_MS * USEC_PER_MSEC));
    for (int i = 0; i < 9; i++)
        admission_leave(admission, tickets[i], 0);
    admission_free(admission);
}

// An IPv6 host has a whole /64 to itself.
static void test_v6_source_is_a_network(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 2);
    struct ticket *a = enter(admission, addr("2001:db8::1"), 0), *b = enter(admission, addr("2001:db8::2"), 0);
    assert_true(a && b);
    assert_null(enter(admission, addr("2001:db8::3"), 0));
    assert_true(is_admitted(admission, addr("2001:db8:0:1::1"), 0));
    admission_leave(admission, a, 0);
    admission_leave(admission, b, 0);
    admission_free(admission);
}

static void test_rate_of_a_source(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 64);
    struct address a = addr("192.0.2.1"), b = addr("2001:db8::1");
    for (int i = 0; i < SOURCES_BURST; i++)
        assert_true(is_admitted(admission, a, 0));
    assert_false(is_admitted(admission, a, 0));
    assert_true(is_admitted(admission, b, 0));
    for (int i = 0; i < SOURCES_RATE; i++)
        assert_true(is_admitted(admission, a, USEC_PER_SEC));
    assert_false(is_admitted(admission, a, USEC_PER_SEC));
    // More where portals come from.
    make_known(admission, b, USEC_PER_SEC);
    for (int i = 0; i < SOURCES_KNOWN_BURST; i++)
        assert_true(is_admitted(admission, b, USEC_PER_SEC));
    assert_false(is_admitted(admission, b, USEC_PER_SEC));
    make_known(admission, b, 2 * USEC_PER_SEC); // which is counted anew once
    for (int i = 0; i < SOURCES_KNOWN_RATE - 1; i++)
        assert_true(is_admitted(admission, b, 2 * USEC_PER_SEC));
    assert_false(is_admitted(admission, b, 2 * USEC_PER_SEC));
    admission_free(admission);
}

// Of sources that have come lately, however many they are. Those that have not, have as much for themselves, and known ones
// no bound together.
static void test_rate_of_all(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 8);
    make_known(admission, nth(9999), 0);
    int fresh = 0, again = 0;
    for (unsigned i = 0; i < 1000; i++)
        fresh += is_admitted(admission, nth(i), USEC_PER_SEC);
    assert_int_equal(fresh, 2 * ADMISSION_BURST);
    for (unsigned i = 0; i < 1000; i++)
        again += is_admitted(admission, nth(i), 2 * USEC_PER_SEC);
    assert_int_equal(again, ADMISSION_RATE);
    assert_true(is_admitted(admission, nth(5000), 2 * USEC_PER_SEC));
    for (unsigned i = 0; i < SOURCES_BURST - 1; i++)
        assert_true(is_admitted(admission, nth(9999), 2 * USEC_PER_SEC));
    admission_free(admission);
}

// Strangers have three quarters of the places; the rest is for sources that portals have come from.
static void test_who_is_known_has_a_place(void **state)
{
    (void)state;
    struct admission *admission = admission_new(16, 4);
    struct address mine = addr("192.0.2.1");
    struct ticket *strangers[12], *known[16];
    usec_t late = ADMISSION_GRACE_MS * USEC_PER_MSEC;
    for (unsigned i = 0; i < 16; i++)
        make_known(admission, nth(1000 + i), 0);
    for (unsigned i = 0; i < 12; i++)
        assert_non_null(strangers[i] = enter(admission, nth(i / 3), i));
    assert_null(enter(admission, mine, 20));
    for (unsigned i = 0; i < 4; i++) {
        assert_non_null(known[i] = enter(admission, nth(1000 + i), 20));
        assert_null(gone);
    }
    // Full: a stranger goes for a known one at once, for another stranger once he has had his time.
    assert_non_null(known[4] = enter(admission, nth(1004), 20));
    assert_ptr_equal(gone, strangers[0]);
    struct ticket *patient = enter(admission, mine, 21);
    assert_null(patient);
    assert_non_null(patient = enter(admission, mine, late + 3));
    assert_ptr_equal(gone, strangers[3]); // the oldest of those that have most
    for (unsigned i = 5; i < 16; i++)
        assert_non_null(known[i] = enter(admission, nth(1000 + i), late + 3));
    assert_null(enter(admission, nth(1000), late + 3)); // known ones go for each other as strangers do
    for (unsigned i = 0; i < 12; i++)
        admission_leave(admission, strangers[i], late);
    for (unsigned i = 0; i < 16; i++)
        admission_leave(admission, known[i], late);
    admission_leave(admission, patient, late);
    admission_free(admission);
}

static void test_memory_of_the_known(void **state)
{
    (void)state;
    struct admission *admission = admission_new(1, 1);
    struct address here = addr("192.0.2.1");
    struct ticket *tunnel = enter(admission, here, 0);
    admission_proved(admission, tunnel, 0);
    usec_t now = 0;
    for (unsigned i = 0; i < SOURCES_KNOWN_MAX + 10; i++, now += USEC_PER_SEC)
        make_known(admission, nth(i), now);
    // Forgotten are those of long ago, but none that has a tunnel.
    struct ticket *stranger = enter(admission, nth(0), now);
    assert_non_null(stranger);
    struct ticket *known = enter(admission, here, now);
    assert_non_null(known);
    assert_ptr_equal(gone, stranger);
    assert_null(enter(admission, nth(5), now));
    admission_leave(admission, known, now);
    admission_leave(admission, stranger, now);
    admission_leave(admission, tunnel, now);
    admission_free(admission);
}

static void test_crashes_cost_time(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 8);
    struct address a = addr("192.0.2.1"), b = addr("192.0.2.2");
    usec_t now = 0;
    for (uint64_t penalty = 1; penalty <= 256; penalty *= 2) {
        uint64_t expected = penalty < SOURCES_PENALTY_MAX_S ? penalty : SOURCES_PENALTY_MAX_S;
        admission_crashed(admission, &a, now);
        assert_false(is_admitted(admission, a, now + expected * USEC_PER_SEC - 1));
        assert_true(is_admitted(admission, b, now));
        now += expected * USEC_PER_SEC;
        assert_true(is_admitted(admission, a, now));
    }
    now += SOURCES_MEMORY_S * USEC_PER_SEC; // forgotten
    admission_crashed(admission, &a, now);
    admission_crashed(admission, &b, now);
    assert_true(is_admitted(admission, a, now + 64 * USEC_PER_SEC));
    admission_free(admission);
}

static void test_memory_of_crashes_is_bounded(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 8);
    for (unsigned i = 0; i < SOURCES_CRASHED_MAX + 100; i++) {
        struct address a = nth(i);
        admission_crashed(admission, &a, 0);
    }
    assert_true(is_admitted(admission, nth(0), 0)); // the oldest has been forgotten for want of room
    admission_free(admission);
}

static void describe(const void *admission, struct facts *facts)
{
    admission_describe(admission, facts);
}

static void test_what_it_tells(void **state)
{
    (void)state;
    struct admission *admission = admission_new(2, 1);
    struct address b = addr("192.0.2.2");
    struct ticket *one = enter(admission, addr("192.0.2.1"), 0);
    assert_null(enter(admission, addr("192.0.2.1"), 0)); // one too many of its source
    struct ticket *two = enter(admission, b, 0);
    assert_null(enter(admission, addr("192.0.2.3"), 0)); // one too many of all
    struct ticket *three = enter(admission, addr("192.0.2.3"), ADMISSION_GRACE_MS * USEC_PER_MSEC);
    admission_leave(admission, one, 0); // it had to go
    admission_leave(admission, two, 0);
    admission_crashed(admission, &b, 0);
    admission_crashed(admission, &b, 0);
    admission_proved(admission, three, 0);
    char *told = facts_json(describe, admission);
    assert_string_equal(told, "{\"connections\":0,\"crashed_sources\":1,\"known_sources\":1,\"refused\":2,"
                              "\"gave_way\":1,\"crashes\":2}");
    free(told);
    admission_leave(admission, three, 0);
    admission_free(admission);
}

// The next program in this process knows who was known and who made workers crash, and holds the places that are held.
static void test_what_is_left_to_the_next(void **state)
{
    (void)state;
    struct admission *admission = admission_new(4, 2), *next = admission_new(4, 2);
    struct address known = addr("10.0.0.1"), crashed = addr("10.0.0.2"), here = addr("10.0.0.3");
    usec_t now = 5 * USEC_PER_SEC;
    make_known(admission, known, now);
    admission_crashed(admission, &crashed, now);
    admission_crashed(admission, &crashed, now);
    struct blob saved = admission_save(admission);
    for (size_t len = 0; len < saved.len; len++) { // half of it does no harm
        struct admission *half = admission_new(4, 2);
        struct blob part = {saved.bytes, len};
        admission_load(half, &part, now);
        admission_free(half);
    }
    admission_load(next, &saved, now);
    char *told = facts_json(describe, next);
    assert_non_null(strstr(told, "\"crashed_sources\":1,\"known_sources\":1"));
    assert_non_null(strstr(told, "\"crashes\":2"));
    free(told);
    assert_false(is_admitted(next, crashed, now + 1900 * USEC_PER_MSEC));
    assert_true(is_admitted(next, crashed, now + 2100 * USEC_PER_MSEC));
    now += 3 * USEC_PER_SEC;
    // One tunnel, and two that have not authenticated, which are all that one source may have.
    struct ticket *tunnel = admission_adopt(next, &here, true, now);
    struct ticket *one = admission_adopt(next, &here, false, now), *two = admission_adopt(next, &here, false, now);
    assert_null(enter(next, here, now));
    admission_leave(next, one, now);
    assert_true(is_admitted(next, here, now));
    admission_leave(next, two, now);
    admission_leave(next, tunnel, now);
    blob_wipe(&saved);
    admission_free(admission);
    admission_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_tells),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_cap_per_source),
        cmocka_unit_test(test_v6_source_is_a_network),
        cmocka_unit_test(test_rate_of_a_source),
        cmocka_unit_test(test_rate_of_all),
        cmocka_unit_test(test_who_is_known_has_a_place),
        cmocka_unit_test(test_memory_of_the_known),
        cmocka_unit_test(test_what_is_left_to_the_next),
        cmocka_unit_test(test_crashes_cost_time),
        cmocka_unit_test(test_memory_of_crashes_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
