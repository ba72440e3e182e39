// SPDX-License-Identifier: GPL-2.0-or-later
// Caps on connections that have not proved who they are, and what a crash costs.
#include "cli/facts_json.h"
#include "gate/admission.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct address addr(const char *text)
{
    struct address out;
    assert_true(address_parse(&out, text));
    return out;
}

static void test_cap_per_source(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 8);
    struct address a = addr("192.0.2.1"), b = addr("192.0.2.2");
    for (int i = 0; i < 8; i++)
        assert_null(admission_enter(admission, &a, 0));
    assert_non_null(admission_enter(admission, &a, 0));
    assert_null(admission_enter(admission, &b, 0));
    admission_leave(admission, &a, 0);
    assert_null(admission_enter(admission, &a, 0));
    for (int i = 0; i < 8; i++)
        admission_leave(admission, &a, 0);
    admission_leave(admission, &b, 0);
    admission_free(admission);
}

// An IPv6 host has a whole /64 to itself.
static void test_v6_source_is_a_network(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 2);
    struct address a = addr("2001:db8::1"), b = addr("2001:db8::2"), c = addr("2001:db8:0:1::1");
    assert_null(admission_enter(admission, &a, 0));
    assert_null(admission_enter(admission, &b, 0));
    assert_non_null(admission_enter(admission, &b, 0));
    assert_null(admission_enter(admission, &c, 0));
    admission_leave(admission, &b, 0);
    admission_leave(admission, &b, 0);
    admission_leave(admission, &c, 0);
    admission_free(admission);
}

static void test_cap_in_all(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 8);
    char text[32];
    for (int i = 0; i < 64; i++) {
        snprintf(text, sizeof(text), "192.0.2.%d", i);
        struct address a = addr(text);
        assert_null(admission_enter(admission, &a, 0));
    }
    struct address late = addr("198.51.100.1");
    assert_non_null(admission_enter(admission, &late, 0));
    for (int i = 0; i < 64; i++) {
        snprintf(text, sizeof(text), "192.0.2.%d", i);
        struct address a = addr(text);
        admission_leave(admission, &a, 0);
    }
    admission_free(admission);
}

static void test_crashes_cost_time(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 8);
    struct address a = addr("192.0.2.1"), b = addr("192.0.2.2");
    usec_t now = 0;
    for (uint64_t penalty = 1; penalty <= 256; penalty *= 2) {
        uint64_t expected = penalty < ADMISSION_PENALTY_MAX_S ? penalty : ADMISSION_PENALTY_MAX_S;
        admission_crashed(admission, &a, now);
        assert_non_null(admission_enter(admission, &a, now + expected * USEC_PER_SEC - 1));
        assert_null(admission_enter(admission, &b, now));
        admission_leave(admission, &b, now);
        now += expected * USEC_PER_SEC;
        assert_null(admission_enter(admission, &a, now));
        admission_leave(admission, &a, now);
    }
    now += ADMISSION_MEMORY_S * USEC_PER_SEC; // forgotten
    admission_crashed(admission, &a, now);
    admission_crashed(admission, &b, now);
    assert_null(admission_enter(admission, &a, now + 64 * USEC_PER_SEC));
    admission_leave(admission, &a, now + 64 * USEC_PER_SEC);
    admission_free(admission);
}

static void test_memory_of_crashes_is_bounded(void **state)
{
    (void)state;
    struct admission *admission = admission_new(64, 8);
    char text[32];
    for (int i = 0; i < ADMISSION_CRASHED_MAX + 100; i++) {
        snprintf(text, sizeof(text), "10.%d.%d.1", i / 256, i % 256);
        struct address a = addr(text);
        admission_crashed(admission, &a, 0);
    }
    struct address first = addr("10.0.0.1"); // the oldest has been forgotten for want of room
    assert_null(admission_enter(admission, &first, 0));
    admission_leave(admission, &first, 0);
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
    struct address a = addr("192.0.2.1"), b = addr("192.0.2.2"), c = addr("192.0.2.3");
    assert_null(admission_enter(admission, &a, 0));
    assert_non_null(admission_enter(admission, &a, 0)); // one too many of its source
    assert_null(admission_enter(admission, &b, 0));
    assert_non_null(admission_enter(admission, &c, 0)); // one too many of all
    admission_leave(admission, &b, 0);
    admission_crashed(admission, &b, 0);
    admission_crashed(admission, &b, 0);
    char *told = facts_json(describe, admission);
    assert_string_equal(told, "{\"connections\":1,\"crashed_sources\":1,\"refused\":2,\"crashes\":2}");
    free(told);
    admission_leave(admission, &a, 0);
    admission_free(admission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_tells),          cmocka_unit_test(test_cap_per_source),
        cmocka_unit_test(test_v6_source_is_a_network), cmocka_unit_test(test_cap_in_all),
        cmocka_unit_test(test_crashes_cost_time),      cmocka_unit_test(test_memory_of_crashes_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
